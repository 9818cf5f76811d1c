// How the numbers of a tensor are written in JSON: flat and readable, or base64 of some element type.

import Optimizers
import TensorCoding

/// The encoding that a request asks for.
struct TensorEncoding: Sendable {
    let elementType: ElementType
    let isBase64: Bool
    let isMetaOnly: Bool

    /// Numbers in full.
    static let plain = TensorEncoding()

    private init() { (elementType, isBase64, isMetaOnly) = (.float32, false, false) }

    /// Reads `dtype`, `encoding` and `meta_only`.
    ///
    /// - Throws: `invalidQuery` for values that are not offered.
    init(_ call: Call) throws(Problem) {
        elementType = try Self.elementType(call.query("dtype"))
        isBase64 = try Self.isBase64(call.query("encoding"))
        isMetaOnly = try call.flag("meta_only")
    }

    /// Tells encodings apart in tags and caches; empty for the plain one.
    var key: String {
        (elementType == .float32 ? "" : "-\(elementType.rawValue)") + (isBase64 ? "-b" : "") + (isMetaOnly ? "-m" : "")
    }

    /// The type in which a parameter is written: integers keep theirs.
    func type(of parameter: ParameterLayout) -> ElementType { parameter.elementType ?? elementType }

    private static func elementType(_ text: String?) throws(Problem) -> ElementType {
        guard let text else { return .float32 }
        switch ElementType(name: text) {
        case .float16?: return .float16
        case .bfloat16?: return .bfloat16
        case .float32?: return .float32
        default: throw Problem(.invalidQuery, "`dtype` must be F32, F16 or BF16, not `\(text.prefix(40))`.")
        }
    }

    private static func isBase64(_ text: String?) throws(Problem) -> Bool {
        switch text {
        case nil: return false
        case "b64": return true
        case .some(let text): throw Problem(.invalidQuery, "`encoding` must be b64, not `\(text.prefix(40))`.")
        }
    }
}

extension UnsafeBufferPointer<Float> {
    /// The values in the bytes of `type`, little-endian.
    func encoded(as type: ElementType) -> [UInt8] {
        switch type {
        case .float16, .bfloat16: break
        case .int8: return bytes { Int8(clamping: $0) }
        case .int16: return bytes { Int16(clamping: $0) }
        case .int32: return bytes { Int32(clamping: $0) }
        case .int64: return bytes { $0 }
        case .uint8, .bool: return bytes { UInt8(clamping: $0) }
        default: return Array(UnsafeRawBufferPointer(self))
        }
        return [UInt8](unsafeUninitializedCapacity: count * type.size) { target, written in
            if let base = target.baseAddress { HalfPrecision.encode(self, as: type, into: base) }
            written = count * type.size
        }
    }
}

extension UnsafeBufferPointer<Float> {
    /// The values as integers; an import lets nothing else into a parameter that travels as integers.
    var integers: [Int] { map { Int(exactly: $0) ?? 0 } }

    private func bytes<Integer: FixedWidthInteger>(_ convert: (Int) -> Integer) -> [UInt8] {
        integers.flatMap { value in withUnsafeBytes(of: convert(value).littleEndian) { Array($0) } }
    }
}

extension ParameterLayout {
    /// The type of its integers; nil for floats, whose type the request chooses.
    var elementType: ElementType? { wireType.flatMap { ElementType(rawValue: $0.rawValue) } }
}
