// One type for all names that clients choose. `String` compares by canonical equivalence, which makes different bytes
// one key; in JSON and URLs, different bytes are different names.

import Glibc

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

    /// Whether the name has these bytes.
    public func isSpelled(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        withBytes { own in
            guard own.count == bytes.count, let a = own.baseAddress, let b = bytes.baseAddress else {
                return own.isEmpty && bytes.isEmpty
            }
            return memcmp(a, b, own.count) == 0
        }
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

extension Name {
    /// Whether the bytes of `prefix` begin the name.
    public func hasPrefix(_ prefix: Name) -> Bool { utf8.starts(with: prefix.utf8) }

    /// The name without `suffix`; nil where its bytes do not end the name.
    public func dropping(suffix: Name) -> Name? {
        let isThere = withBytes { own in suffix.withBytes { end in own.suffix(end.count).elementsEqual(end) } }
        guard isThere else { return nil }
        return Name(String(decoding: utf8.dropLast(suffix.utf8.count), as: UTF8.self))
    }

    /// Whether the bytes of `word` occur in the name.
    public func contains(_ word: Name) -> Bool {
        let (text, word) = (Array(utf8), Array(word.utf8))
        guard text.count >= word.count else { return false }
        return (0...(text.count - word.count)).contains { text[$0..<($0 + word.count)].elementsEqual(word) }
    }

    /// The name as one token of a JSON pointer (RFC 6901): `~` becomes `~0`, `/` becomes `~1`.
    public var pointerEscaped: String {
        guard utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") }) else { return text }
        var pointer = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "~": pointer += "~0"
            case "/": pointer += "~1"
            default: pointer.unicodeScalars.append(scalar)
            }
        }
        return pointer
    }
}
