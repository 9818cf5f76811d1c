// How the numbers of a tensor are written in JSON: flat and readable, or base64 of some element type.

import TensorCoding

/// The encoding that a request asks for.
struct TensorEncoding: Sendable {
    let elementType: ElementType
    let isBase64: Bool
    let isMetaOnly: Bool

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

    private static func elementType(_ text: String?) throws(Problem) -> ElementType {
        guard let text else { return .float32 }
        switch ElementType(name: text) {
        case .float16?: return .float16
        case .bfloat16?: return .bfloat16
        case .float32?: return .float32
        default: throw Problem(.invalidQuery, "`dtype` is F32, F16 or BF16, not `\(text.prefix(40))`.")
        }
    }

    private static func isBase64(_ text: String?) throws(Problem) -> Bool {
        switch text {
        case nil: return false
        case "b64": return true
        case .some(let text): throw Problem(.invalidQuery, "`encoding` is b64, not `\(text.prefix(40))`.")
        }
    }
}

extension UnsafeBufferPointer<Float> {
    /// The values in the bytes of `type`, little-endian.
    func encoded(as type: ElementType) -> [UInt8] {
        guard type != .float32 else { return Array(UnsafeRawBufferPointer(self)) }
        return [UInt8](unsafeUninitializedCapacity: count * type.size) { target, written in
            if let base = target.baseAddress { HalfPrecision.encode(self, as: type, into: base) }
            written = count * type.size
        }
    }
}

extension JSONWriter {
    /// Writes the members that say a tensor: `shape` and `data`, or `dtype`, `shape` and `b64`.
    mutating func members(of values: UnsafeBufferPointer<Float>, _ shape: [Int], _ encoding: TensorEncoding) {
        let isPlain = encoding.elementType == .float32 && !encoding.isBase64
        if !isPlain || encoding.isMetaOnly { member("dtype", encoding.elementType.rawValue) }
        key("shape")
        integers(shape)
        if encoding.isMetaOnly { return }
        if isPlain {
            key("data")
            numbers(values)
        } else {
            key("b64")
            values.encoded(as: encoding.elementType).withUnsafeBytes { base64($0) }
        }
    }
}
