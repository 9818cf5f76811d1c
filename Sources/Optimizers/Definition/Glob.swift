// Names with * and ?, as groups write them. Both match any character, `.` and `/` too.

import Names

/// A pattern of names: `*` matches any run of characters, `?` any one; a character is a code point.
public struct Glob: Sendable {
    /// The longest pattern, in bytes; names are shorter by far.
    static let longest = 1024

    private let pattern: [Unicode.Scalar]

    /// Makes a pattern.
    public init(_ pattern: Name) { self.pattern = Array(pattern.text.unicodeScalars) }

    /// Whether a name has a wildcard at all.
    public static func isPattern(_ name: Name) -> Bool {
        name.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// Whether the whole name matches.
    ///
    /// Linear in memory, at worst product of the lengths in time.
    public func matches(_ name: Name) -> Bool {
        let text = Array(name.text.unicodeScalars)
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
