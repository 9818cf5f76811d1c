// Converts little-endian elements, in pieces of any size, to float32 at a destination. Used for base64 and safetensors.

import Glibc
import Threading

/// A streaming converter of elements.
struct ElementStream {
    let type: ElementType
    /// Whether all values so far are finite as float32.
    private(set) var isFinite = true
    /// Whether the magnitudes of all values so far are below `DecodedTensor.modestBound`.
    private(set) var isModest = true
    /// The first number that breaks the rule for its tensor.
    private(set) var stray: StrayNumber?

    private let size: Int
    private let rule: IntegerRule
    private var count = 0  // elements converted
    private var carry: (UInt64, count: Int) = (0, 0)  // bytes of an element that a piece's end has cut

    /// Makes a stream of elements.
    ///
    /// Integer types, and types that must contain integers of the type `wanted`, are checked.
    init(type: ElementType, wanted: ElementType? = nil) {
        let row = type.row
        invariant(row.isFloating || row.integers != nil, "an element stream needs a type that can be read")
        (self.type, size) = (type, row.size)
        rule = row.isFloating && wanted == nil ? .none : IntegerRule(type, wanted)
    }

    /// Whether the last element is complete.
    var isWhole: Bool { carry.count == 0 }

    /// Converts a piece into `output`.
    mutating func decode(_ bytes: UnsafeRawBufferPointer, into output: inout TensorOutput, sink: any TensorSink) {
        var rest = completeCarry(bytes[...], into: &output, sink: sink)
        while rest.count >= size {
            let wanted = rest.count / size
            var taken = 0
            output.fill(wanted, sink: sink) { room in
                taken = min(room.count, wanted)
                convert(UnsafeRawBufferPointer(rebasing: rest), count: taken, into: room)
                return taken
            }
            rest = rest.dropFirst(taken * size)
        }
        keep(rest)
    }

    private mutating func keep(_ bytes: Slice<UnsafeRawBufferPointer>) {
        for byte in bytes {
            carry.0 |= UInt64(byte) << (8 * UInt64(carry.count))
            carry.count += 1
        }
    }

    private mutating func completeCarry(
        _ bytes: Slice<UnsafeRawBufferPointer>, into output: inout TensorOutput, sink: any TensorSink
    ) -> Slice<UnsafeRawBufferPointer> {
        guard carry.count > 0 else { return bytes }
        let missing = min(size - carry.count, bytes.count)
        keep(bytes.prefix(missing))
        if carry.count == size {
            let element = carry.0.littleEndian
            carry = (0, 0)
            withUnsafeBytes(of: element) { raw in
                output.fill(1, sink: sink) { room in
                    convert(raw, count: 1, into: room)
                    return 1
                }
            }
        }
        return bytes.dropFirst(missing)
    }

    private mutating func convert(
        _ bytes: UnsafeRawBufferPointer, count: Int, into room: UnsafeMutableBufferPointer<Float>
    ) {
        switch type {
        case .float16:
            for index in 0..<count {
                room[index] = Float(Float16(bitPattern: load(bytes, index, UInt16.self)))
            }
        case .bfloat16:
            for index in 0..<count { room[index] = BFloat16.decode(load(bytes, index, UInt16.self)) }
        case .float64:
            convertDoubles(bytes, count: count, into: room)
        case .bool, .uint8: convertIntegers(bytes, count, UInt8.self, into: room)
        case .int8: convertIntegers(bytes, count, Int8.self, into: room)
        case .int16: convertIntegers(bytes, count, Int16.self, into: room)
        case .uint16: convertIntegers(bytes, count, UInt16.self, into: room)
        case .int32: convertIntegers(bytes, count, Int32.self, into: room)
        case .uint32: convertIntegers(bytes, count, UInt32.self, into: room)
        case .int64: convertIntegers(bytes, count, Int64.self, into: room)
        case .uint64: convertIntegers(bytes, count, UInt64.self, into: room)
        case .float32:
            copyFloats(bytes, count: count, into: room)
        case .float8e5m2, .float8e4m3, .float8e8m0, .complex64:
            for index in 0..<count { room[index] = .nan }
        }
        if type.isFloating, type != .float64 { checkFloats(room, count: count) }
        self.count += count
        judge(room, count: count)
    }

    /// Copies float32 values.
    ///
    /// Where memory has the order of the wire, one copy is five times as fast as a loop of unaligned loads.
    private func copyFloats(
        _ bytes: UnsafeRawBufferPointer, count: Int, into room: UnsafeMutableBufferPointer<Float>
    ) {
        #if _endian(little)
            let source = UnsafeRawBufferPointer(rebasing: bytes.prefix(count * size))
            UnsafeMutableRawBufferPointer(room).copyMemory(from: source)
        #else
            for index in 0..<count { room[index] = Float(bitPattern: load(bytes, index, UInt32.self)) }
        #endif
    }

    private mutating func convertDoubles(
        _ bytes: UnsafeRawBufferPointer, count: Int, into room: UnsafeMutableBufferPointer<Float>
    ) {
        for index in 0..<count {
            let value = Double(bitPattern: load(bytes, index, UInt64.self))
            room[index] = Float(value)
            if value.isFinite, !room[index].isFinite, stray == nil {
                stray = StrayNumber(value: value.plainText, index: self.count + index, fault: .beyondFloat32)
            }
            guard !rule.isEmpty else { continue }
            check(
                room[index], isExact: Double(room[index]) == value, isWhole: value == value.rounded(.towardZero),
                at: index, value.plainText)
        }
    }

    private mutating func convertIntegers<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ count: Int, _ type: Integer.Type,
        into room: UnsafeMutableBufferPointer<Float>
    ) {
        for index in 0..<count {
            let value = load(bytes, index, type)
            room[index] = Float(value)
            check(
                room[index], isExact: Integer(exactly: room[index]) == value, isWhole: true, at: index, "\(value)")
        }
    }

    private mutating func checkFloats(_ values: UnsafeMutableBufferPointer<Float>, count: Int) {
        guard !rule.isEmpty, stray == nil else { return }
        for index in 0..<count {
            let value = values[index]
            check(value, isExact: true, isWhole: value == value.rounded(.towardZero), at: index, value.plainText)
        }
    }

    /// Records the first number that breaks the rule; `index` counts from the first element of the piece.
    @inline(__always)
    private mutating func check(
        _ value: Float, isExact: Bool, isWhole: Bool, at index: Int, _ text: @autoclosure () -> String
    ) {
        guard !rule.isEmpty, stray == nil else { return }
        stray = rule.stray(value, isExact: isExact, isWhole: isWhole, at: count + index, text())
    }

    @inline(__always)
    private func load<Bits: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, _ type: Bits.Type
    ) -> Bits {
        Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Bits>.size, as: type))
    }

    /// Notes whether the values are finite, and whether they are modest.
    ///
    /// Adding to an exponent that is too large sets the sign bit: `and`, `add` and `or` are vector instructions of every
    /// machine, a maximum of unsigned numbers is not.
    private mutating func judge(_ values: UnsafeMutableBufferPointer<Float>, count: Int) {
        let bound = 0x8000_0000 - DecodedTensor.modestBound.bitPattern
        var (infinite, large): (UInt32, UInt32) = (0, 0)
        for index in 0..<count {
            let exponent = values[index].bitPattern & 0x7F80_0000
            infinite |= exponent &+ 0x0080_0000
            large |= exponent &+ bound
        }
        if infinite >= 0x8000_0000 { isFinite = false }
        if large >= 0x8000_0000 { isModest = false }
    }
}
