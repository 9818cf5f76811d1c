// Why a file is not safetensors: one sentence that names the tensor and says what to change.

import Names

/// A file that is refused as a whole.
public enum SafetensorsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The file ends before its header or its data; this many bytes are missing.
    case truncated(missing: Int)
    /// The header is longer than the limit, in bytes.
    case headerTooLarge(length: UInt64, limit: Int)
    /// The header does not start with `{`.
    case headerStart
    /// The header is not JSON.
    case header(JSONError)
    /// `__metadata__` is not an object of strings.
    case metadata
    /// A tensor without `dtype`, `shape` or `data_offsets` of the right kind.
    case entry(name: Name)
    /// An unknown element type.
    case unknownType(name: Name, type: String)
    /// A shape whose size in bytes exceeds 64 bits.
    case overflow(name: Name)
    /// Offsets that do not match the size of the shape.
    case size(name: Name, expected: Int, got: Int)
    /// Offsets that leave a gap, overlap another tensor or are not in order.
    case offsets(name: Name)
    /// Bytes after the last tensor.
    case trailingBytes
    /// The budget leaves no room for the header.
    case overBudget

    /// The sentence.
    public var description: String {
        switch self {
        case .truncated(let missing): "the file ends \(missing.counted("byte", "bytes")) too early; send the whole file"
        case .headerTooLarge(let length, let limit): "the header has \(length) bytes; at most \(limit) are allowed"
        case .headerStart: "the header does not start with '{'; send a safetensors file"
        case .header(let error): "the header is not JSON: \(error.description)"
        case .metadata: "__metadata__ must be an object of strings"
        case .entry(let name):
            "the tensor \"\(name)\" needs dtype (a string), shape (integers >= 0) and data_offsets (two integers >= 0)"
        case .unknownType(let name, let type):
            "the tensor \"\(name)\" has the dtype \"\(type)\", which is not supported; send it as F32, F16, BF16 or F64"
        case .overflow(let name): "the shape of the tensor \"\(name)\" is too large to count its bytes"
        case .size(let name, let expected, let got):
            "the tensor \"\(name)\" spans \(got.counted("byte", "bytes")), but its shape and dtype need \(expected)"
        case .offsets(let name): "the data_offsets of the tensor \"\(name)\" leave a gap or overlap; pack the tensors"
        case .trailingBytes: "bytes follow the last tensor; the tensors must fill the file"
        case .overBudget: "not enough memory for the header; try again later"
        }
    }
}

/// The limits of one reading.
public struct SafetensorsLimits: Sendable, Equatable {
    /// Bytes of the header.
    ///
    /// The reference implementation accepts 100,000,000.
    public var headerBytes: Int
    /// Bytes of a header that is parsed as it arrives; a longer one waits for `SafetensorsReader.work`.
    public var headerInPlace: Int
    /// Tensors that one call of `read` begins; the bytes of more wait for `SafetensorsReader.work`.
    public var tensorsInPlace: Int
    /// Issues described in full; more are only counted.
    public var issues: Int
    /// Whether a tensor of an unknown type is an issue and the others are read; otherwise it stops the reading.
    public var passesUnknownTypes: Bool

    /// The limits of a model: 16 MiB of header, 16 issues.
    public init(
        headerBytes: Int = 16 << 20, headerInPlace: Int = .max, tensorsInPlace: Int = .max, issues: Int = 16,
        passesUnknownTypes: Bool = false
    ) {
        self.headerBytes = headerBytes
        self.headerInPlace = headerInPlace
        self.tensorsInPlace = tensorsInPlace
        self.issues = issues
        self.passesUnknownTypes = passesUnknownTypes
    }
}
