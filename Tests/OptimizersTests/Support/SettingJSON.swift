// A tiny JSON reader for the golden files, which keeps the order of members. It makes the same `SettingValue` as the
// server's own reader.

import Glibc
import Names

@testable import Optimizers

struct JSONMistake: Error {
    let position: Int
}

/// Reads one JSON document.
struct SettingJSON {
    private let bytes: [UInt8]
    private var position = 0

    static func read(_ text: String) throws -> SettingValue { try read(Array(text.utf8)) }

    static func read(_ bytes: [UInt8]) throws -> SettingValue {
        var reader = SettingJSON(bytes: bytes + [0])
        return try reader.value()
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func next() -> UInt8 {
        while bytes[position] == 0x20 || bytes[position] == 0x0A || bytes[position] == 0x0D { position += 1 }
        return bytes[position]
    }

    private mutating func take(_ byte: UInt8) throws {
        guard next() == byte else { throw JSONMistake(position: position) }
        position += 1
    }

    private mutating func value() throws -> SettingValue {
        switch next() {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .boolean(true))
        case UInt8(ascii: "f"): return try word("false", .boolean(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ word: String, _ value: SettingValue) throws -> SettingValue {
        guard bytes[position...].starts(with: Array(word.utf8)) else { throw JSONMistake(position: position) }
        position += word.utf8.count
        return value
    }

    private mutating func number() throws -> SettingValue {
        let start = position
        var end = 0
        let value = bytes.withUnsafeBytes { raw -> Double in
            let base = raw.baseAddress.map { $0.assumingMemoryBound(to: CChar.self) + start }
            guard let base else { return .nan }
            var stop: UnsafeMutablePointer<CChar>?
            let value = strtod(base, &stop)
            end = stop.map { UnsafePointer($0) - base } ?? 0
            return value
        }
        guard end > 0 else { throw JSONMistake(position: position) }
        position += end
        let isInteger = !bytes[start..<position].contains { $0 == 0x2E || $0 | 0x20 == 0x65 }
        guard isInteger, let integer = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
            return .number(value)
        }
        return .integer(integer)
    }

    private mutating func string() throws -> String {
        try take(UInt8(ascii: "\""))
        var text: [UInt8] = []
        while bytes[position] != UInt8(ascii: "\"") {
            if bytes[position] == UInt8(ascii: "\\") { position += 1 }
            text.append(bytes[position])
            position += 1
        }
        position += 1
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func array() throws -> SettingValue {
        try take(UInt8(ascii: "["))
        var elements: [SettingValue] = []
        var numbers: [Double] = []
        while next() != UInt8(ascii: "]") {
            if !numbers.isEmpty || !elements.isEmpty { try take(UInt8(ascii: ",")) }
            let element = try value()
            if elements.isEmpty, let number = element.numberValue {
                numbers.append(number)
                continue
            }
            if elements.isEmpty { elements = numbers.map(SettingValue.number) }
            elements.append(element)
        }
        position += 1
        return elements.isEmpty ? .numbers(numbers) : .array(elements)
    }

    private mutating func object() throws -> SettingValue {
        try take(UInt8(ascii: "{"))
        var entries: [SettingValue.Entry] = []
        while next() != UInt8(ascii: "}") {
            if !entries.isEmpty { try take(UInt8(ascii: ",")) }
            _ = next()
            let key = try string()
            try take(UInt8(ascii: ":"))
            entries.append(SettingValue.Entry(key: Name(key), value: try value()))
        }
        position += 1
        return .object(entries)
    }
}
