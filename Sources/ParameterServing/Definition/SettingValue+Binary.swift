// The binary form of settings: a tag, then the value. The tags are part of the format on disk and never change.

import Optimizers

extension ByteWriter {
    mutating func write(_ setting: SettingValue) {
        switch setting {
        case .null: write(UInt8(0))
        case .boolean(let value):
            write(UInt8(1))
            write(value)
        case .integer(let value):
            write(UInt8(2))
            write(value)
        case .number(let value):
            write(UInt8(3))
            write(value)
        case .string(let value):
            write(UInt8(4))
            write(value)
        case .numbers(let values):
            write(UInt8(5))
            write(values) { $0.write($1) }
        case .array(let values):
            write(UInt8(6))
            write(values) { $0.write($1) }
        case .object(let entries):
            write(UInt8(7))
            write(entries) {
                $0.write($1.key)
                $0.write($1.value)
            }
        }
    }
}

extension ByteReader {
    /// Deeper than any definition in a request (`JSONLimits`), and far from exhausting a thread's stack.
    private static let mostNesting = 64

    mutating func readSetting(nested depth: Int = 0) throws(FormatError) -> SettingValue {
        guard depth < Self.mostNesting else {
            throw FormatError(expected: "settings nested at most \(Self.mostNesting) deep", offset: offset)
        }
        switch try readByte() {
        case 0: return .null
        case 1: return .boolean(try readBool())
        case 2: return .integer(try readInt())
        case 3: return .number(try readDouble())
        case 4: return .string(try readString())
        case 5: return .numbers(try readArray { reader throws(FormatError) in try reader.readDouble() })
        case 6: return .array(try readArray { reader throws(FormatError) in try reader.readSetting(nested: depth + 1) })
        case 7:
            return .object(
                try readArray { reader throws(FormatError) in
                    SettingValue.Entry(key: try reader.readName(), value: try reader.readSetting(nested: depth + 1))
                })
        default: throw FormatError(expected: "a setting's tag", offset: offset - 1)
        }
    }
}
