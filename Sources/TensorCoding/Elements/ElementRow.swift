// The properties of an element type on the wire. The size is derived from the bit type that is read or written, so a
// row cannot state a different one.

/// One row of the table of element types.
public struct ElementRow: Sendable {
    typealias Write = @Sendable (UnsafeBufferPointer<Float>, UnsafeMutableRawPointer) -> Void

    /// Bytes of one element.
    public let size: Int
    /// The type in NumPy's notation; nil if NumPy lacks it.
    public let numpy: String?
    /// Whether its values can be converted to float32.
    let isFloating: Bool
    /// The range of an integer type; nil for other types.
    ///
    /// Both ends are powers of two, so float32 compares exactly.
    let integers: Range<Float>?
    /// That range in words.
    let words: String
    /// The smallest magnitude that rounds to infinity: half a step above the largest number.
    let end: Float
    /// Writes float32 values, `size` bytes each; nil for types that are only read or not supported.
    let write: Write?

    /// Integers.
    init<Bits: FixedWidthInteger & WireNumber>(
        integers type: Bits.Type, _ range: Range<Float>, _ words: String, numpy: String
    ) {
        (size, self.numpy, isFloating, integers) = (Bits.Bits.byteCount, numpy, false, range)
        (self.words, end) = (words, .infinity)
        write = { values, output in type.write(values, to: output) }
    }

    /// A float type that is read and written; `end` is set if its range is smaller than float32's.
    init<Number: WireNumber>(writing type: Number.Type, numpy: String?, end: Float = .infinity) {
        (size, self.numpy, isFloating, integers) = (Number.Bits.byteCount, numpy, true, nil)
        (words, self.end) = ("", end)
        write = { values, output in type.write(values, to: output) }
    }

    /// A float type that is only read.
    init<Number: WireNumber>(reading type: Number.Type, numpy: String) {
        (size, self.numpy, isFloating, integers) = (Number.Bits.byteCount, numpy, true, nil)
        (words, end, write) = ("", .infinity, nil)
    }

    /// Elements of this size that are skipped.
    init(unreadable size: Int) {
        (self.size, numpy, isFloating, integers) = (size, nil, false, nil)
        (words, end, write) = ("", .infinity, nil)
    }
}

/// A number type that is written as its bits.
protocol WireNumber: SendableMetatype {
    associatedtype Bits: FixedWidthInteger & BitwiseCopyable

    /// The bits of the nearest number of this type to a float32.
    static func bits(nearest value: Float) -> Bits
}

extension FixedWidthInteger {
    fileprivate static var byteCount: Int { MemoryLayout<Self>.size }
}

extension WireNumber {
    /// Writes values little-endian and packed; no alignment is needed.
    fileprivate static func write(_ values: UnsafeBufferPointer<Float>, to output: UnsafeMutableRawPointer) {
        for index in values.indices {
            let bits = bits(nearest: values[index]).littleEndian
            output.storeBytes(of: bits, toByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
        }
    }
}

extension WireNumber where Self: FixedWidthInteger & BitwiseCopyable {
    /// The integer itself: an import accepts no other values for a parameter that is transferred as this type.
    static func bits(nearest value: Float) -> Self { Self(clamping: Int(exactly: value) ?? 0) }
}

extension Int8: WireNumber {}
extension Int16: WireNumber {}
extension Int32: WireNumber {}
extension Int64: WireNumber {}
extension UInt8: WireNumber {}
extension UInt16: WireNumber {}
extension UInt32: WireNumber {}
extension UInt64: WireNumber {}

extension Float16: WireNumber {
    static func bits(nearest value: Float) -> UInt16 { Float16(value).bitPattern }
}

extension BFloat16: WireNumber {
    static func bits(nearest value: Float) -> UInt16 { encode(value) }
}

extension Float: WireNumber {
    static func bits(nearest value: Float) -> UInt32 { value.bitPattern }
}

extension Double: WireNumber {
    static func bits(nearest value: Float) -> UInt64 { Double(value).bitPattern }
}
