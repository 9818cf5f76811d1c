// The encoding of a tensor's numbers in JSON: flat and readable, or base64 of an element type.

import Optimizers
import TensorCoding

/// The encoding that a request selects.
struct TensorEncoding: Sendable {
    let elementType: ElementType
    let isBase64: Bool
    let isMetaOnly: Bool

    /// Plain numbers.
    static let plain = TensorEncoding()

    private init() { (elementType, isBase64, isMetaOnly) = (.float32, false, false) }

    /// Reads `dtype`, `encoding` and `meta_only`.
    ///
    /// - Throws: `invalidQuery` for unsupported values.
    init(_ call: Call) throws(Problem) {
        elementType = try Self.elementType(call.query(.dtype))
        isBase64 = try Self.isBase64(call.query(.encoding))
        isMetaOnly = try call.flag(.metaOnly)
    }

    /// Distinguishes encodings in tags and caches; empty for the plain one.
    var key: String {
        (elementType == .float32 ? "" : "-\(elementType.rawValue)") + (isBase64 ? "-b" : "") + (isMetaOnly ? "-m" : "")
    }

    /// The element type of a parameter in the answer: integers keep theirs.
    func type(of parameter: ParameterLayout) -> ElementType { parameter.elementType ?? elementType }

    private static func elementType(_ text: String?) throws(Problem) -> ElementType {
        guard let text else { return .float32 }
        if let type = ElementType(name: text), ElementType.pulled.contains(type) { return type }
        throw Problem(
            .invalidQuery,
            "`dtype` must be \(ElementType.list(ElementType.pulled)), not `\(text.prefix(40))`.")
    }

    private static func isBase64(_ text: String?) throws(Problem) -> Bool {
        switch text {
        case nil: return false
        case "b64": return true
        case .some(let text): throw Problem(.invalidQuery, "`encoding` must be b64, not `\(text.prefix(40))`.")
        }
    }
}

extension ElementType {
    /// "F32, F16 or BF16".
    static func list(_ types: [ElementType]) -> String {
        let names = types.map(\.rawValue)
        let last = names.suffix(1).joined()
        return names.count > 1 ? "\(names.dropLast().joined(separator: ", ")) or \(last)" : last
    }
}

extension UnsafeBufferPointer<Float> {
    /// The values as integers; an import accepts nothing else for a parameter with an integer type.
    var integers: [Int] { map { Int(exactly: $0) ?? 0 } }
}

extension ParameterLayout {
    /// The type of its integers; nil for floats, whose type the request selects.
    var elementType: ElementType? { wireType.flatMap { ElementType(rawValue: $0.rawValue) } }
}
