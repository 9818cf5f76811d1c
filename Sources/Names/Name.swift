// One type for all names that clients choose. `String` compares by canonical equivalence, which makes different bytes
// one key; in JSON and URLs, different bytes are different names.

/// A name of a parameter, a group, a worker, a model, a key, or a member of an object.
///
/// Names are equal if their UTF-8 bytes are equal, and sort by those bytes.
public struct Name: Hashable, Comparable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name as text, for answers and messages.
    ///
    /// Do not compare it.
    public let text: String

    /// Makes a name from `text`.
    public init(_ text: String) {
        var text = text
        text.makeContiguousUTF8()
        self.text = text
    }

    /// Makes a name from `text`.
    public init(_ text: Substring) { self.init(String(text)) }

    /// Makes a name from a literal.
    public init(stringLiteral text: String) { self.init(text) }

    /// The name as text.
    public var description: String { text }

    /// The bytes of the name.
    public var utf8: String.UTF8View { text.utf8 }

    /// Whether the name is empty.
    public var isEmpty: Bool { text.utf8.isEmpty }

    /// Whether both names have the same bytes.
    public static func == (a: Name, b: Name) -> Bool {
        a.withBytes { a in b.withBytes { b in a.elementsEqual(b) } }
    }

    /// Whether the bytes of `a` sort first; this is also the order of code points.
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
