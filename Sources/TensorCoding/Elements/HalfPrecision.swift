// BF16, which Swift has no type for, and whole blocks of 16-bit floats. F16 is Swift's own Float16.

/// bfloat16: the upper half of a float32.
public enum BFloat16 {
    /// The nearest bfloat16, ties to even; NaN stays NaN.
    public static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
        let roundingBias = 0x7FFF + (bits >> 16 & 1)
        return UInt16(truncatingIfNeeded: (bits &+ roundingBias) >> 16)
    }

    /// The float32 of the same value; every bfloat16 has one.
    public static func decode(_ bits: UInt16) -> Float {
        Float(bitPattern: UInt32(bits) << 16)
    }
}

/// Blocks of float32 values as 16-bit floats, for answers.
public enum HalfPrecision {
    /// The least magnitudes that round to infinity: half a step above the largest number of the type.
    private static let float16End: Float = 65_520
    private static let bfloat16End = Float(bitPattern: 0x7F7F_8000)

    /// Whether `encode` would make any of the values infinite; never for other types than F16 and BF16.
    public static func overflows(_ values: UnsafeBufferPointer<Float>, as type: ElementType) -> Bool {
        switch type {
        case .float16: values.contains { $0.magnitude >= float16End }
        case .bfloat16: values.contains { $0.magnitude >= bfloat16End }
        default: false
        }
    }

    /// Writes `values` as little-endian `type`, which is F16 or BF16; other types are left to the caller.
    ///
    /// Rounds to nearest, ties to even; what is beyond F16 becomes infinite.
    /// - Parameter output: room for two bytes for each value; no alignment needed.
    public static func encode(
        _ values: UnsafeBufferPointer<Float>, as type: ElementType, into output: UnsafeMutableRawPointer
    ) {
        if type == .bfloat16 {
            for index in values.indices {
                let bits = BFloat16.encode(values[index]).littleEndian
                output.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
            }
        } else {
            for index in values.indices {
                let bits = Float16(values[index]).bitPattern.littleEndian
                output.storeBytes(of: bits, toByteOffset: 2 * index, as: UInt16.self)
            }
        }
    }
}
