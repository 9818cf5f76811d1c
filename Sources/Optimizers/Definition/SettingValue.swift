// The data of a definition in the order written: the JSON data model without its syntax. The API layer makes it from a
// request body, rules and schedules read it through `SettingReader`, the journal stores it.

import Names

/// A value of a definition, as JSON-like data in the order written.
public indirect enum SettingValue: Sendable, Equatable {
    /// JSON's null.
    case null
    /// true or false.
    case boolean(Bool)
    /// A number written without a fraction or exponent.
    case integer(Int)
    /// Any other number.
    case number(Double)
    /// A string.
    case string(String)
    /// An array of numbers only, including integers; never booleans.
    case numbers([Double])
    /// Any other array.
    case array([SettingValue])
    /// An object with ordered, unique keys.
    case object([Entry])

    /// One member of an object.
    public struct Entry: Sendable, Equatable {
        /// The member's name.
        public var key: Name
        /// The member's value.
        public var value: SettingValue

        /// Makes a member.
        public init(key: Name, value: SettingValue) {
            self.key = key
            self.value = value
        }
    }

    /// The value of an object's member; nil if there is none or this is not an object.
    public subscript(key: Name) -> SettingValue? {
        guard case .object(let entries) = self else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// The members of an object; empty for anything else.
    public var entries: [Entry] {
        if case .object(let entries) = self { return entries }
        return []
    }

    /// The elements of any array; nil for anything else.
    public var elements: [SettingValue]? {
        switch self {
        case .array(let elements): return elements
        case .numbers(let values): return values.map(SettingValue.number)
        default: return nil
        }
    }

    /// The scalar values at any depth.
    public var valueCount: Int {
        switch self {
        case .numbers(let values): values.count
        case .array(let elements): elements.reduce(0) { $0 + $1.valueCount }
        case .object(let entries): entries.reduce(0) { $0 + $1.value.valueCount }
        default: 1
        }
    }

    /// The bytes of its arrays of numbers, including the float32 copies used to look up rates.
    public var arrayBytes: Int {
        switch self {
        case .numbers(let values): values.count * 16
        case .array(let elements): elements.reduce(0) { $0 + $1.arrayBytes }
        case .object(let entries): entries.reduce(0) { $0 + $1.value.arrayBytes }
        default: 0
        }
    }

    /// The value of any number; nil for anything else.
    public var numberValue: Double? {
        switch self {
        case .integer(let value): return Double(value)
        case .number(let value): return value
        default: return nil
        }
    }

    /// The text of a string; nil for anything else.
    public var stringValue: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// The kind of value, in words that fit after "got".
    public var kind: String {
        switch self {
        case .null: return "null"
        case .boolean(let value): return value ? "true" : "false"
        case .integer(let value): return "\(value)"
        case .number(let value): return "\(value)"
        case .string(let text): return "\"\(text.prefix(64))\""
        case .numbers(let values): return "an array of \(values.count.counted("number", "numbers"))"
        case .array(let elements): return "an array of \(elements.count.counted("element", "elements"))"
        case .object: return "an object"
        }
    }

    /// This object with a member replaced in place, added at the end, or removed (nil).
    public func setting(_ key: Name, to value: SettingValue?) -> SettingValue {
        var entries = entries
        let place = entries.firstIndex { $0.key == key }
        switch (place, value) {
        case (let place?, let value?): entries[place].value = value
        case (let place?, nil): entries.remove(at: place)
        case (nil, let value?): entries.append(Entry(key: key, value: value))
        case (nil, nil): break
        }
        return .object(entries)
    }
}

extension SettingValue {
    /// The longest text that fits in a sentence.
    private static let longestLine = 160

    /// This value as JSON on one line; nil if it is too long for a sentence or needs escapes.
    public var line: String? {
        let text = written
        guard let text, text.utf8.count <= Self.longestLine else { return nil }
        return text
    }

    private var written: String? {
        switch self {
        case .null: return "null"
        case .boolean, .integer: return kind
        case .number(let value): return Self.text(value)
        case .string(let text): return Self.quoted(text)
        case .numbers(let values):
            return values.count > 32 ? nil : "[\(values.map(Self.text).joined(separator: ","))]"
        case .array(let elements):
            let lines = elements.prefix(33).compactMap(\.line)
            return lines.count == elements.count ? "[\(lines.joined(separator: ","))]" : nil
        case .object(let entries):
            let lines = entries.prefix(33).compactMap { Self.member($0.key, $0.value) }
            return lines.count == entries.count ? "{\(lines.joined(separator: ","))}" : nil
        }
    }

    /// `"key":value`, or nil if `line` is nil.
    static func member(_ key: Name, _ value: SettingValue) -> String? {
        guard let name = quoted(key.text), let text = value.line else { return nil }
        return "\(name):\(text)"
    }

    private static func text(_ value: Double) -> String {
        Int(exactly: value).map(String.init) ?? "\(value)"
    }

    private static func quoted(_ text: String) -> String? {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0 != "\"" && $0 != "\\" && $0 != "'" }
        return isPlain ? "\"\(text)\"" : nil
    }
}
