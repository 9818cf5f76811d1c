// The element types of the wire, under safetensors' names, with the aliases of the Open Inference Protocol. The
// properties of a type are in its row; `ElementStream` reads them.

import Threading

/// An element type of safetensors.
///
/// Only some types can be converted to float32.
public enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8e5m2 = "F8_E5M2"
    case float8e4m3 = "F8_E4M3"
    case float8e8m0 = "F8_E8M0"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"
    case complex64 = "C64"

    /// The properties of the type.
    ///
    /// A pull can request any float type whose row can be written.
    public var row: ElementRow {
        switch self {
        case .bool: ElementRow(integers: UInt8.self, 0..<2, "0 or 1", numpy: "|b1")
        case .uint8: ElementRow(integers: UInt8.self, 0..<0x1p8, "0 to 255", numpy: "|u1")
        case .int8: ElementRow(integers: Int8.self, -0x1p7..<0x1p7, "-128 to 127", numpy: "|i1")
        case .uint16: ElementRow(integers: UInt16.self, 0..<0x1p16, "0 to 65535", numpy: "<u2")
        case .int16: ElementRow(integers: Int16.self, -0x1p15..<0x1p15, "-32768 to 32767", numpy: "<i2")
        case .uint32: ElementRow(integers: UInt32.self, 0..<0x1p32, "0 to 4294967295", numpy: "<u4")
        case .int32: ElementRow(integers: Int32.self, -0x1p31..<0x1p31, "-2147483648 to 2147483647", numpy: "<i4")
        case .uint64: ElementRow(integers: UInt64.self, 0..<0x1p64, "0 to 2^64 - 1", numpy: "<u8")
        case .int64: ElementRow(integers: Int64.self, -0x1p63..<0x1p63, "-2^63 to 2^63 - 1", numpy: "<i8")
        case .float16: ElementRow(writing: Float16.self, numpy: "<f2", end: 65_520)
        case .bfloat16: ElementRow(writing: BFloat16.self, numpy: nil, end: Float(bitPattern: 0x7F7F_8000))
        case .float32: ElementRow(writing: Float.self, numpy: "<f4")
        case .float64: ElementRow(reading: Double.self, numpy: "<f8")
        case .float8e5m2, .float8e4m3, .float8e8m0: ElementRow(unreadable: 1)
        case .complex64: ElementRow(unreadable: 8)
        }
    }

    /// The type with this name; `FP32 FP16 FP64 INT32 INT64 ...` are aliases.
    public init?(name: String) {
        if let type = ElementType(rawValue: name) {
            self = type
        } else if let type = Self.aliases[name] {
            self = type
        } else {
            return nil
        }
    }

    private static let aliases: [String: ElementType] = [
        "FP16": .float16, "FP32": .float32, "FP64": .float64, "INT8": .int8, "INT16": .int16, "INT32": .int32,
        "INT64": .int64, "UINT8": .uint8, "UINT16": .uint16, "UINT32": .uint32, "UINT64": .uint64,
    ]

    /// Bytes of one element.
    public var size: Int { row.size }

    /// Whether values of this type can be converted to float32: F32, F16, BF16, F64.
    public var isFloating: Bool { row.isFloating }

    /// Whether values of this type are integers, which only parameters that are not trained accept.
    public var isInteger: Bool { row.integers != nil }

    /// The types that a pull can request, float32 first.
    public static let pulled =
        [float32] + allCases.filter { $0 != .float32 && $0.row.isFloating && $0.row.write != nil }

    /// The pull types with a larger range than this one, narrowest first.
    public var wider: [ElementType] {
        Self.pulled.filter { $0.row.end > row.end }.sorted { ($0.row.end, $0.size) < ($1.row.end, $1.size) }
    }

    /// Whether any value is infinite in this type but finite in float32.
    public func overflows(_ values: UnsafeBufferPointer<Float>) -> Bool {
        row.end < .infinity && values.contains { $0.magnitude >= row.end }
    }

    /// The values encoded in this type, little-endian; rounded to nearest, ties to even.
    public func encode(_ values: UnsafeBufferPointer<Float>) -> [UInt8] {
        let row = row
        invariant(row.write != nil, "\(self) can be pulled, but its row has no `write`")
        return [UInt8](unsafeUninitializedCapacity: values.count * row.size) { target, written in
            guard let base = target.baseAddress, let write = row.write else { return }
            write(values, base)
            written = values.count * row.size
        }
    }
}
