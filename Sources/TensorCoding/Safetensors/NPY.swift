// The head of a NumPy file, version 1.0, for the download of one tensor. Format: numpy.lib.format.

/// NumPy's array file.
public enum NPY {
    /// The bytes before the data of a tensor in row-major order, little-endian; a multiple of 64.
    ///
    /// NumPy names its types by kind and size; bfloat16, which it lacks, must not come here.
    public static func header(shape: [Int], type: ElementType = .float32) -> [UInt8] {
        let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = Array("{'descr': '\(type.descriptor)', 'fortran_order': False, 'shape': (\(dimensions)), }".utf8)
        let preamble = 10
        let padding = 63 - (preamble + text.count) % 64
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: padding))
        text.append(UInt8(ascii: "\n"))
        let length = UInt16(truncatingIfNeeded: text.count)
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + text
    }
}

extension ElementType {
    /// The type in NumPy's notation.
    fileprivate var descriptor: String {
        switch self {
        case .bool: "|b1"
        case .int8, .uint8: "|\(self == .int8 ? "i" : "u")1"
        case .int16, .int32, .int64: "<i\(size)"
        case .uint16, .uint32, .uint64: "<u\(size)"
        default: "<f\(size)"
        }
    }
}
