// The header of a NumPy file, version 1.0, for the download of one tensor. Format: numpy.lib.format.

/// NumPy's array file.
public enum NPY {
    /// The bytes before the data of a row-major, little-endian tensor; a multiple of 64.
    ///
    /// - Parameter descriptor: the element type in NumPy's notation, `ElementRow.numpy`.
    public static func header(shape: [Int], descriptor: String) -> [UInt8] {
        let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var text = Array("{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(dimensions)), }".utf8)
        let preamble = 10
        let padding = 63 - (preamble + text.count) % 64
        text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: padding))
        text.append(UInt8(ascii: "\n"))
        let length = UInt16(truncatingIfNeeded: text.count)
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)] + text
    }
}
