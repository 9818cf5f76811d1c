// Answers as JSON bytes. `JSONText` escapes, `DecimalText` prints numbers; indentation is for people who use curl.

import Names

/// An append-only writer of one JSON document.
///
/// Calls follow the document: `beginObject`, `key`, a value, ..., `endObject`. The writer adds commas, colons and line
/// breaks. Numbers are printed as the shortest text that reads back to the same bits: integers without `.0`, `-0` as
/// `-0.0` (many readers lose the sign of an integer zero), exponents below 1e-6 and from 1e21 on, as in JavaScript. NaN
/// and infinity, which JSON lacks, become `null`.
public struct JSONWriter: Sendable {
    /// The bytes written and not yet taken.
    public private(set) var bytes: [UInt8] = []

    private let isIndented: Bool
    private var memberCounts: [Int] = []  // of each open container
    private var isAfterKey = false

    /// An empty writer.
    ///
    /// - Parameter indented: one member per line, two spaces per level; arrays of numbers stay on one line.
    public init(indented: Bool = false) {
        isIndented = indented
    }

    /// Returns the bytes written since the last call; writing continues after them.
    public mutating func take() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &bytes)
        bytes.reserveCapacity(taken.count)
        return taken
    }

    /// Ends the document with a newline.
    public mutating func endDocument() { bytes.append(UInt8(ascii: "\n")) }

    /// The document with a final newline.
    public consuming func finish() -> [UInt8] {
        endDocument()
        return bytes
    }
}

// MARK: Containers

extension JSONWriter {
    /// Opens an object.
    public mutating func beginObject() { begin(UInt8(ascii: "{")) }

    /// Closes the innermost object.
    public mutating func endObject() { end(UInt8(ascii: "}")) }

    /// Opens an array, with one element per line if indented.
    public mutating func beginArray() { begin(UInt8(ascii: "[")) }

    /// Closes the innermost array.
    public mutating func endArray() { end(UInt8(ascii: "]")) }

    /// Writes a member's key; its value must follow.
    public mutating func key(_ key: Name) {
        separate()
        JSONText.appendQuoted(key.utf8, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        if isIndented { bytes.append(UInt8(ascii: " ")) }
        isAfterKey = true
    }

    private mutating func begin(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        memberCounts.append(0)
    }

    private mutating func end(_ bracket: UInt8) {
        if memberCounts.popLast() ?? 0 > 0 { breakLine() }
        bytes.append(bracket)
    }

    /// Writes the separator before the next key or value.
    private mutating func separate() {
        if isAfterKey {
            isAfterKey = false
            return
        }
        guard let count = memberCounts.last else { return }
        if count > 0 { bytes.append(UInt8(ascii: ",")) }
        memberCounts[memberCounts.count - 1] = count + 1
        breakLine()
    }

    private mutating func breakLine() {
        guard isIndented else { return }
        bytes.append(UInt8(ascii: "\n"))
        bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * memberCounts.count))
    }
}

// MARK: Values

extension JSONWriter {
    /// Writes a string.
    public mutating func string(_ text: String) {
        separate()
        JSONText.appendQuoted(text.utf8, to: &bytes)
    }

    /// Writes an integer.
    public mutating func integer(_ value: some BinaryInteger) {
        separate()
        bytes.append(contentsOf: String(value).utf8)
    }

    /// Writes a double.
    public mutating func number(_ value: Double) {
        separate()
        DecimalText.append(value, to: &bytes)
    }

    /// Writes a float32 as the shortest text that reads back to the same float32.
    public mutating func number(_ value: Float) {
        separate()
        withUnsafePointer(to: value) { appendNumbers(UnsafeBufferPointer(start: $0, count: 1)) }
    }

    /// Writes `true` or `false`.
    public mutating func bool(_ value: Bool) {
        separate()
        bytes.append(contentsOf: (value ? "true" : "false").utf8)
    }

    /// Writes `null`.
    public mutating func null() {
        separate()
        bytes.append(contentsOf: "null".utf8)
    }

    /// Writes an array of float32 values on one line.
    public mutating func numbers(_ values: UnsafeBufferPointer<Float>) {
        beginList("[")
        list(values, isFirst: true)
        endList("]")
    }

    /// Begins an array of numbers on one line, or, with `"`, a base64 string; `list` then writes it in pieces.
    public mutating func beginList(_ mark: UnicodeScalar) {
        separate()
        bytes.append(UInt8(ascii: mark))
    }

    /// Ends a list begun with `beginList`.
    public mutating func endList(_ mark: UnicodeScalar) { bytes.append(UInt8(ascii: mark)) }

    /// Writes the next numbers of an array.
    public mutating func list(_ values: UnsafeBufferPointer<Float>, isFirst: Bool) {
        appendNumbers(values, isFirst: isFirst)
    }

    /// Writes the next integers of an array.
    public mutating func list(integers: some Sequence<Int>, isFirst: Bool) {
        appendList(integers, isFirst: isFirst) { value, bytes in bytes.append(contentsOf: String(value).utf8) }
    }

    /// Writes the next bytes of a base64 string: a multiple of three, except at its end.
    public mutating func list(base64 data: UnsafeRawBufferPointer) { Base64.encode(data, into: &bytes) }

    /// Writes an array of doubles on one line.
    public mutating func numbers(_ values: some Sequence<Double>) {
        list(values) { value, bytes in DecimalText.append(value, to: &bytes) }
    }

    /// Writes an array of integers on one line.
    public mutating func integers(_ values: some Sequence<Int>) {
        list(values) { value, bytes in bytes.append(contentsOf: String(value).utf8) }
    }

    /// Writes a document; tensors in it become `null`.
    public mutating func value(_ value: JSONValue) {
        switch value {
        case .null, .tensor: null()
        case .bool(let value): bool(value)
        case .integer(let value): integer(value)
        case .real(let value): number(value)
        case .string(let text): string(text)
        case .array(let elements): array(elements)
        case .object(let members):
            beginObject()
            for member in members {
                key(member.key)
                self.value(member.value)
            }
            endObject()
        }
    }

    private mutating func array(_ elements: [JSONValue]) {
        if elements.allSatisfy({ $0.number != nil }) {
            list(elements) { element, bytes in
                if case .integer(let integer) = element {
                    bytes.append(contentsOf: String(integer).utf8)
                } else {
                    DecimalText.append(element.number ?? .nan, to: &bytes)
                }
            }
            return
        }
        beginArray()
        for element in elements { value(element) }
        endArray()
    }

    private mutating func list<Element>(
        _ elements: some Sequence<Element>, _ append: (Element, inout [UInt8]) -> Void
    ) {
        beginList("[")
        appendList(elements, isFirst: true, append)
        endList("]")
    }

    private mutating func appendList<Element>(
        _ elements: some Sequence<Element>, isFirst: Bool, _ append: (Element, inout [UInt8]) -> Void
    ) {
        var isFirst = isFirst
        for element in elements {
            if !isFirst { bytes.append(contentsOf: (isIndented ? ", " : ",").utf8) }
            isFirst = false
            append(element, &bytes)
        }
    }

    /// Appends numbers through a block of memory, so that no number costs an array append.
    private mutating func appendNumbers(_ values: UnsafeBufferPointer<Float>, isFirst: Bool = true) {
        let block = 256
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: block * (DecimalText.floatLimit + 2)) { buffer in
            guard let start = buffer.baseAddress else { return }
            var index = 0
            while index < values.count {
                var end = start
                for position in index..<min(index + block, values.count) {
                    if position > 0 || !isFirst { end = appendComma(at: end) }
                    end = DecimalText.write(values[position], to: end)
                }
                bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: end - start))
                index += block
            }
        }
    }

    private func appendComma(at end: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        end[0] = UInt8(ascii: ",")
        if isIndented { end[1] = UInt8(ascii: " ") }
        return end + (isIndented ? 2 : 1)
    }
}
