// Integers that belong to a model but are not trained, such as the counter of a batch norm. They are stored and
// published as float32 like all values; a wire type says which integers are valid.

/// The integer type in which an untrained parameter is transferred.
public enum WireType: String, CaseIterable, Sendable {
    /// -128 to 127.
    case int8 = "I8"
    /// -32768 to 32767.
    case int16 = "I16"
    /// -2^31 to 2^31 - 1.
    case int32 = "I32"
    /// -2^63 to 2^63 - 1.
    case int64 = "I64"
    /// 0 to 255.
    case uint8 = "U8"
    /// 0 and 1.
    case boolean = "BOOL"

    /// Whether `value` is an integer in the range of this type.
    public func holds(_ value: Float) -> Bool {
        switch self {
        case .int8: Int8(exactly: value) != nil
        case .int16: Int16(exactly: value) != nil
        case .int32: Int32(exactly: value) != nil
        case .int64: Int64(exactly: value) != nil
        case .uint8: UInt8(exactly: value) != nil
        case .boolean: value == 0 || value == 1
        }
    }
}
