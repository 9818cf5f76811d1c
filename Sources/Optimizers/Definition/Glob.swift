// Names with * and ?, as groups write them. Both match any character, `.` and `/` too.

/// A pattern of names: `*` matches any run of characters, `?` any one.
public struct Glob: Sendable {
    /// The longest pattern, in bytes; names are shorter by far.
    static let longest = 1024

    private let pattern: [Character]

    /// Makes a pattern.
    public init(_ pattern: String) { self.pattern = Array(pattern) }

    /// Whether a name has a wildcard at all.
    public static func isPattern(_ name: String) -> Bool { name.contains { $0 == "*" || $0 == "?" } }

    /// Whether the whole name matches.
    ///
    /// Linear in memory, at worst product of the lengths in time.
    public func matches(_ name: String) -> Bool {
        let text = Array(name)
        var (p, t) = (0, 0)
        var retry: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "*" {
                retry = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = retry {
                retry = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}
