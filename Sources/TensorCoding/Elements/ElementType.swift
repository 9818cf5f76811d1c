// The element types of the wire, under safetensors' names, with the aliases of the Open Inference Protocol.

/// An element type as safetensors knows it.
///
/// Only some of them can be decoded to float32.
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

    /// The type of that name; `FP32 FP16 FP64 INT32 INT64 ...` are aliases.
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
    public var size: Int {
        switch self {
        case .bool, .uint8, .int8, .float8e5m2, .float8e4m3, .float8e8m0: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .float64, .int64, .uint64, .complex64: 8
        }
    }

    /// Whether values of this type are read to float32 here: F32, F16, BF16, F64.
    public var isFloating: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        default: false
        }
    }

    /// Whether values of this type are integers, which are read where a parameter is not trained.
    public var isInteger: Bool { integers != nil }
}
