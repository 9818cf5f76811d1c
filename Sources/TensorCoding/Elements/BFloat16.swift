// BF16, which has no Swift type. F16 is Swift's own Float16.

/// bfloat16: the upper half of a float32.
public enum BFloat16 {
    /// The nearest bfloat16, ties to even; NaN stays NaN.
    public static func encode(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
        let roundingBias = 0x7FFF + (bits >> 16 & 1)
        return UInt16(truncatingIfNeeded: (bits &+ roundingBias) >> 16)
    }

    /// The same value as float32; the conversion is exact.
    public static func decode(_ bits: UInt16) -> Float {
        Float(bitPattern: UInt32(bits) << 16)
    }
}
