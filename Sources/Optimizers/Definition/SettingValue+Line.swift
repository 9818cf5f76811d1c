// A setting as text: refusals show the corrected line with the values that were sent.

import Names

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
