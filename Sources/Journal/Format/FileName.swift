// What the files are called. A name that is not made here is none of the journal's business.

/// A family of numbered files: prefix, twelve digits, suffix.
struct FileName: Sendable {
    static let segment = FileName(prefix: "segment-", suffix: ".journal")
    static let snapshot = FileName(prefix: "state-", suffix: ".snapshot")
    /// Held by the process that has the directory open.
    static let lock = "LOCK"
    /// How far positions may have been acknowledged without a sync.
    static let mark = "MARK"
    /// How far the journal was durable.
    static let durable = "SYNCED"
    /// The segment being prepared; it gets its number when it is taken into use.
    static let ahead = "next.journal.tmp"
    /// Marks a file that is not finished: it has never been announced and the next open removes it.
    static let unfinished = ".tmp"
    /// Marks what `salvage` has moved aside.
    static let salvaged = "salvaged-"

    let prefix: String
    let suffix: String

    func callAsFunction(_ number: UInt64) -> String {
        let digits = String(number)
        return prefix + String(repeating: "0", count: max(0, 12 - digits.utf8.count)) + digits + suffix
    }

    func isMember(_ name: String) -> Bool { number(of: name) != nil }

    /// The file's number, or `nil` for any other file.
    func number(of name: String) -> UInt64? {
        guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
        guard let number = UInt64(name.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)) else { return nil }
        // A number that could not be counted on from is none of ours.
        return number < 1 << 53 && self(number) == name ? number : nil
    }
}
