// The header fields of a request, in the order received. Made by the gate, which has checked every name and value.

/// Header fields with case-insensitive names.
public struct Headers: Sendable {
    /// The fields as received.
    public let fields: [(name: String, value: String)]

    /// Makes a collection that keeps the order of the fields.
    public init(_ fields: [(name: String, value: String)] = []) {
        self.fields = fields
    }

    /// The value of the first field named `name`, or nil.
    public subscript(name: String) -> String? {
        fields.first { Self.matches($0.name, name) }?.value
    }

    /// The values of all fields named `name`, in the order received.
    public func values(of name: String) -> [String] {
        fields.lazy.filter { Self.matches($0.name, name) }.map(\.value)
    }

    /// Whether two names are equal, ignoring ASCII case.
    static func matches(_ one: String, _ other: String) -> Bool {
        one.utf8.count == other.utf8.count && begins(one, with: other)
    }

    /// Whether a name begins with `prefix`, ignoring ASCII case.
    static func begins(_ name: String, with prefix: String) -> Bool {
        guard name.utf8.count >= prefix.utf8.count else { return false }
        return zip(name.utf8, prefix.utf8).allSatisfy { $0 == $1 || ($0.isLetter && $0 ^ $1 == 0x20) }
    }
}

extension UInt8 {
    /// Whether this is an ASCII letter.
    var isLetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7a }

    /// Whether this is an ASCII digit.
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
}
