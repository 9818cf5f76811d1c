// Conversion between settings and JSON.

import Optimizers
import TensorCoding

extension SettingValue {
    /// Makes a setting from a JSON value; arrays of numbers become one piece.
    init(_ value: JSONValue) {
        switch value {
        case .null, .tensor: self = .null
        case .bool(let value): self = .boolean(value)
        case .integer(let value): self = .integer(Int(value))
        case .real(let value): self = .number(value)
        case .string(let value): self = .string(value)
        case .array(let elements):
            let numbers = elements.compactMap(\.number)
            self = numbers.count == elements.count ? .numbers(numbers) : .array(elements.map(SettingValue.init))
        case .object(let members): self = .object(members.map { Entry(key: $0.key, value: SettingValue($0.value)) })
        }
    }
}

extension JSONWriter {
    /// Writes a setting as JSON.
    mutating func setting(_ setting: SettingValue) {
        switch setting {
        case .null: null()
        case .boolean(let value): bool(value)
        case .integer(let value): integer(value)
        case .number(let value): number(value)
        case .string(let value): string(value)
        case .numbers(let values): numbers(values)
        case .array(let elements):
            beginArray()
            for element in elements { self.setting(element) }
            endArray()
        case .object(let entries):
            beginObject()
            for entry in entries {
                key(entry.key)
                self.setting(entry.value)
            }
            endObject()
        }
    }
}
