// Reads what ByteWriter wrote. The bytes have passed a checksum, so a failure means a format of another release or a
// bug; either way it is an error with an offset, never a trap.

import Names
import Optimizers

/// The mistake in a binary form.
public struct FormatError: Error, Sendable, Equatable {
    /// What was expected.
    public var expected: String
    /// The offset from the start of the payload, in bytes.
    public var offset: Int
    /// The bytes of memory that the system refused; nil if the form itself is wrong.
    public var missingMemory: Int?
}

/// Reads values from the front of a buffer.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0
    /// The rates of the receipts read so far.
    var rates = SharedRates()
    /// The lists of rates that receipts refer to by number; nil if each has its own.
    var lists: [[Float?]]?

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var bytesLeft: Int { bytes.count - offset }

    private func fail(_ expected: String) -> FormatError { FormatError(expected: expected, offset: offset) }

    /// The next `count` bytes, in place.
    mutating func take(_ count: Int, _ what: String) throws(FormatError) -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytesLeft else { throw fail(what) }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }

    mutating func readByte() throws(FormatError) -> UInt8 { try take(1, "a byte")[0] }

    mutating func readBool() throws(FormatError) -> Bool { try readByte() != 0 }

    mutating func readUInt32() throws(FormatError) -> UInt32 {
        UInt32(littleEndian: try take(4, "a 32-bit number").loadUnaligned(as: UInt32.self))
    }

    mutating func readUInt64() throws(FormatError) -> UInt64 {
        UInt64(littleEndian: try take(8, "a 64-bit number").loadUnaligned(as: UInt64.self))
    }

    mutating func readInt() throws(FormatError) -> Int { Int(Int64(bitPattern: try readUInt64())) }

    mutating func readDouble() throws(FormatError) -> Double { Double(bitPattern: try readUInt64()) }

    mutating func readFloat() throws(FormatError) -> Float { Float(bitPattern: try readUInt32()) }

    mutating func readString() throws(FormatError) -> String {
        String(decoding: try take(try readCount(1), "a text"), as: UTF8.self)
    }

    mutating func readName() throws(FormatError) -> Name { Name(try readString()) }

    /// The count of elements of at least `size` bytes; more than could be in the rest is an error, not an allocation.
    mutating func readCount(_ size: Int) throws(FormatError) -> Int {
        let count = try readInt()
        guard count >= 0, count <= bytesLeft / max(1, size) else { throw fail("a count that fits") }
        return count
    }

    mutating func readArray<Element>(
        _ body: (inout ByteReader) throws(FormatError) -> Element
    ) throws(FormatError) -> [Element] {
        let count = try readCount(1)
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try body(&self)) }
        return elements
    }

    mutating func readOptional<Value>(
        _ body: (inout ByteReader) throws(FormatError) -> Value
    ) throws(FormatError) -> Value? {
        try readBool() ? try body(&self) : nil
    }

    /// Reads floats without a count.
    mutating func readRawFloats(into target: UnsafeMutablePointer<Float>, count: Int) throws(FormatError) {
        try checkFloats(count)
        let source = try take(count * MemoryLayout<Float>.stride, "numbers")
        UnsafeMutableRawBufferPointer(start: target, count: source.count).copyMemory(from: source)
    }

    /// Throws if fewer than `count` floats are left; call it before allocating memory for them.
    func checkFloats(_ count: Int) throws(FormatError) {
        guard count >= 0, count <= bytesLeft / MemoryLayout<Float>.stride else { throw fail("\(count) numbers") }
    }

    /// Memory for `count` floats, which are read later.
    func makeFloats(_ count: Int) throws(FormatError) -> FloatBuffer {
        do throws(OptimizerError) { return try FloatBuffer(count: count) } catch { throw wanting(ServingError(error)) }
    }

    /// An arena for the values in a record.
    func makeArena(_ pool: ArenaPool) throws(FormatError) -> Arena {
        do throws(ServingError) { return try pool.takeRegardless() } catch { throw wanting(error) }
    }

    private func wanting(_ error: ServingError) -> FormatError {
        guard case .noMemory(let bytes) = error else { return fail("\(error)") }
        return FormatError(expected: "memory for \(bytes) bytes", offset: offset, missingMemory: bytes)
    }

    /// Skips to the next multiple of `alignment`.
    mutating func skipPadding(to alignment: Int) throws(FormatError) {
        _ = try take((alignment - offset % alignment) % alignment, "padding")
    }
}
