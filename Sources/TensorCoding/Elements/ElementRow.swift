// What the wire has to know of an element type. The size is that of the bits which are written or read, so that no row can
// say another one.

/// One row of the table of element types.
public struct ElementRow: Sendable {
    typealias Write = @Sendable (UnsafeBufferPointer<Float>, UnsafeMutableRawPointer) -> Void

    /// Bytes of one element.
    public let size: Int
    /// The type in NumPy's notation; nil where NumPy lacks it.
    public let numpy: String?
    /// Whether its values are read to float32.
    let isFloating: Bool
    /// The integers that it holds; nil for types of other numbers.
    ///
    /// All ends are powers of two, so that float32 tells exactly what is inside.
    let integers: Range<Float>?
    /// Those integers in words.
    let words: String
    /// The least magnitude that is infinite in it: half a step above its largest number.
    let end: Float
    /// Writes float32 values, `size` bytes for each; nil for what is only read, or not even that.
    let write: Write?

    /// Integers.
    init<Bits: FixedWidthInteger & WireNumber>(
        integers type: Bits.Type, _ range: Range<Float>, _ words: String, numpy: String
    ) {
        (size, self.numpy, isFloating, integers) = (Bits.Bits.byteCount, numpy, false, range)
        (self.words, end) = (words, .infinity)
        write = { values, output in type.write(values, to: output) }
    }

    /// Floats that are read and written; `end` where the type holds less than float32.
    init<Number: WireNumber>(writing type: Number.Type, numpy: String?, end: Float = .infinity) {
        (size, self.numpy, isFloating, integers) = (Number.Bits.byteCount, numpy, true, nil)
        (words, self.end) = ("", end)
        write = { values, output in type.write(values, to: output) }
    }

    /// Floats that are only read.
    init<Number: WireNumber>(reading type: Number.Type, numpy: String) {
        (size, self.numpy, isFloating, integers) = (Number.Bits.byteCount, numpy, true, nil)
        (words, end, write) = ("", .infinity, nil)
    }

    /// Elements of so many bytes, which are passed over.
    init(unreadable size: Int) {
        (self.size, numpy, isFloating, integers) = (size, nil, false, nil)
        (words, end, write) = ("", .infinity, nil)
    }
}

/// A number as its bits go out.
protocol WireNumber: SendableMetatype {
    associatedtype Bits: FixedWidthInteger & BitwiseCopyable

    /// The bits of the number of this type that is nearest to a float32.
    static func bits(nearest value: Float) -> Bits
}

extension FixedWidthInteger {
    fileprivate static var byteCount: Int { MemoryLayout<Self>.size }
}

extension WireNumber {
    /// Writes values little-endian, one after the other; no alignment is needed.
    fileprivate static func write(_ values: UnsafeBufferPointer<Float>, to output: UnsafeMutableRawPointer) {
        for index in values.indices {
            let bits = bits(nearest: values[index]).littleEndian
            output.storeBytes(of: bits, toByteOffset: index * MemoryLayout<Bits>.size, as: Bits.self)
        }
    }
}

extension WireNumber where Self: FixedWidthInteger & BitwiseCopyable {
    /// An import lets nothing else than integers of the type into a parameter that travels as one.
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
