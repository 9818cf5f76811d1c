// The binary form of everything on disk other than raw floats: little-endian, counted strings, no padding.

import Names
import Optimizers

/// Appends values to a growing array of bytes, or passes them on in pieces.
struct ByteWriter {
    /// The size at which a piece is passed on.
    private static let piece = 64 << 10

    /// The bytes written but not passed on.
    private(set) var bytes: [UInt8] = []
    /// The lists of rates that receipts refer to by number; nil if each has its own.
    var lists: RatesTable?
    /// Whether receipts lack what earlier releases did not record, so that their states have the same digest here.
    var isForDigest = false
    private var handedOn = 0
    private let handOn: ((UnsafeRawBufferPointer) -> Void)?

    /// Keeps all of it in `bytes`.
    init() { handOn = nil }

    /// Passes it on in pieces; `finish` passes the last one.
    init(_ handOn: @escaping (UnsafeRawBufferPointer) -> Void) { self.handOn = handOn }

    /// The number of bytes written.
    var count: Int { handedOn + bytes.count }

    /// Passes on the rest.
    mutating func finish() {
        guard let handOn else { return }
        bytes.withUnsafeBytes { handOn($0) }
        handedOn += bytes.count
        bytes.removeAll(keepingCapacity: true)
    }

    mutating func write(_ value: UInt8) { bytes.append(value) }

    mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    mutating func write(_ value: UInt32) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func write(_ value: UInt64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func write(_ value: Int) { write(UInt64(bitPattern: Int64(value))) }

    mutating func write(_ value: Double) { write(value.bitPattern) }

    mutating func write(_ value: Float) { write(value.bitPattern) }

    mutating func write(_ text: String) {
        write(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(_ name: Name) { write(name.text) }

    /// Writes bytes as they are; passes them on without a copy if pieces are passed on.
    mutating func write(raw source: UnsafeRawBufferPointer) {
        guard let handOn, source.count >= Self.piece else { return bytes.append(contentsOf: source) }
        finish()
        handOn(source)
        handedOn += source.count
    }

    /// Writes the count, then each element.
    mutating func write<Element>(_ elements: [Element], _ body: (inout ByteWriter, Element) -> Void) {
        write(elements.count)
        for element in elements {
            body(&self, element)
            if bytes.count >= Self.piece { finish() }
        }
    }

    /// Writes whether there is a value, then the value.
    mutating func write<Value>(optional value: Value?, _ body: (inout ByteWriter, Value) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }

    /// Writes zeros up to the next multiple of `alignment`.
    mutating func pad(to alignment: Int) {
        while count % alignment != 0 { bytes.append(0) }
    }
}
