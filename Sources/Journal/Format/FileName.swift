// The names of the journal's files. It ignores files with other names.

/// A family of numbered files: prefix, twelve digits, suffix.
struct FileName: Sendable {
    static let segment = FileName(prefix: "segment-", suffix: ".journal")
    static let snapshot = FileName(prefix: "state-", suffix: ".snapshot")
    /// Locked by the process that has the directory open.
    static let lock = "LOCK"
    /// The bound of positions acknowledged without a sync.
    static let mark = "MARK"
    /// The end of the durable journal.
    static let durable = "SYNCED"
    /// The segment being prepared; it gets its number when it is used.
    static let ahead = "next.journal.tmp"
    /// A segment that is not needed any more, kept to be written again; numbered as it was.
    static let spare = FileName(prefix: "spare-", suffix: ".journal.tmp")
    /// Marks an unfinished file: no one knows of it, and the next open removes it.
    static let unfinished = ".tmp"
    /// Marks files that `salvage` has moved aside.
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
        // A number without a successor is not one of ours.
        return number < 1 << 53 && self(number) == name ? number : nil
    }
}
