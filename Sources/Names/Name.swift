// One type for everything that a client names. A `String` compares by canonical equivalence, in which two texts of
// different bytes are one key; names, as JSON and URLs have them, are their bytes.

/// A name: of a parameter, a group, a worker, a model, a key, or a member of an object.
///
/// Two names are equal when their UTF-8 is equal, and they are ordered by it.
public struct Name: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name as text, for answers and messages; do not compare it.
    public let text: String

    /// The name that is written `text`.
    public init(_ text: String) {
        var text = text
        text.makeContiguousUTF8()
        self.text = text
    }

    /// The name that is written `text`.
    public init(_ text: Substring) { self.init(String(text)) }

    /// The name that a literal writes.
    public init(stringLiteral text: String) { self.init(text) }

    /// The name as text.
    public var description: String { text }

    /// The bytes of the name.
    public var utf8: String.UTF8View { text.utf8 }

    /// Whether the name has no characters.
    public var isEmpty: Bool { text.utf8.isEmpty }

    /// Whether both names have the same bytes.
    public static func == (a: Name, b: Name) -> Bool {
        a.withBytes { a in b.withBytes { b in a.elementsEqual(b) } }
    }

    /// Whether the bytes of `a` come first; the order of code points too.
    public static func < (a: Name, b: Name) -> Bool {
        a.withBytes { a in b.withBytes { b in a.lexicographicallyPrecedes(b) } }
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        withBytes { bytes in
            hasher.combine(bytes.count)
            hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
        }
    }

    private func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        if let result = text.utf8.withContiguousStorageIfAvailable(body) { return result }
        return Array(text.utf8).withUnsafeBufferPointer(body)
    }
}
