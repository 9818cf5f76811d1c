// What the journal's files are called. A name that is not made here is none of the journal's business.

/// Names of the files in a journal's directory.
enum SegmentName {
    static let lock = "LOCK"
    /// The segment being prepared; it gets its number when it is taken into use.
    static let ahead = "next.journal.tmp"

    private static let prefix = "segment-"
    private static let suffix = ".journal"

    static func of(_ number: UInt64) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits + suffix
    }

    /// The segment's number, or `nil` for any other file.
    static func number(of name: String) -> UInt64? {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
        guard let number = UInt64(name.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)) else { return nil }
        return of(number) == name ? number : nil
    }
}
