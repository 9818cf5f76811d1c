// A JSON document as a Swift value: what remains of a body after its tensors have been read. Made by `JSONBodyReader`
// and `JSONValue(parsing:)` through jansson; parsed into definitions and requests.

import Names

/// A JSON value; objects keep the order of their members.
///
/// Keys of an object are unique: a text with a duplicate key never becomes a value.
public indirect enum JSONValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number without fraction and exponent that fits in 64 bits; `-0` is `real(-0.0)`.
    case integer(Int64)
    /// Any other number, as the nearest double.
    case real(Double)
    /// Text; it may contain `\u0000`, object keys may not.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object, in the order written.
    case object([JSONMember])
    /// A tensor outside the document: its index in `JSONBody.tensors`.
    case tensor(Int)
}

/// One `key: value` of an object.
public struct JSONMember: Sendable, Equatable {
    /// The key, escapes resolved.
    public var key: Name
    /// Its value.
    public var value: JSONValue

    /// Makes a member.
    public init(_ key: Name, _ value: JSONValue) {
        self.key = key
        self.value = value
    }
}

extension JSONValue {
    /// The member of an object named `key`; nil if there is none, and for other kinds of values.
    ///
    /// Complexity: O(members).
    public subscript(key: Name) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    /// The element of an array at `index`; nil past its end and for other kinds of values.
    public subscript(index: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The members of an object; nil for other kinds of values.
    public var members: [JSONMember]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The elements of an array; nil for other kinds of values.
    public var elements: [JSONValue]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The text of a string; nil for other kinds of values.
    public var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value of an integer in any notation: `1`, `1.0` and `1e0` are equal; nil for other values.
    ///
    /// Source: JSON Schema 2020-12, section 6.1.1 of the validation vocabulary: an integer is any number with a zero
    /// fractional part.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .real(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The value of any number; nil for other kinds of values.
    public var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    /// The value of a boolean; nil for other kinds of values.
    public var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The kind of value in the words of an error message: `"a string"`, `"an array"`.
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer: "an integer"
        case .real: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        case .tensor: "a tensor"
        }
    }
}

extension JSONValue {
    /// Reads a whole document.
    ///
    /// - Throws: `JSONError` if the text is not JSON (RFC 8259), has a duplicate key, or exceeds `limits`.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        try self.init(parsing: bytes, limits: limits, sink: BudgetlessSink())
    }

    /// As above, with a sink that approves the memory of the document.
    init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits, sink: any TensorSink) throws(JSONError) {
        var reader = JSONBodyReader(tensorKeys: [], sink: sink, limits: limits)
        try reader.read(bytes)
        self = try reader.finish().document
    }

    /// Reads a whole document.
    ///
    /// - Throws: `JSONError` if the text is not JSON (RFC 8259), has a duplicate key, or exceeds `limits`.
    public init(parsing text: some Sequence<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        let bytes = Array(text)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(JSONError) in try JSONValue(parsing: bytes, limits: limits) }
        }
        self = try result.get()
    }
}

/// The sink of a document without tensors and without a budget.
final class BudgetlessSink: TensorSink {
    func destination(for name: Name, in section: Name) -> TensorDestination { .nowhere }
    func allowGrowth(bytes: Int) -> Bool { true }
}
