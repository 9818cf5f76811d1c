// What a chunk says of its size. The library hands over a chunk's bytes and not the line before them, which lies right there
// in its memory if it arrived together with the first of them. Read by the loop's handler.

/// The line before a chunk's first byte.
enum ChunkLine {
    /// The size that the line right before `bytes` announces, `Int.max` where it is larger; nil where there is none.
    ///
    /// - `bytes`: a piece of a chunked body as the library hands it over: before it lies a line, or the end of the head,
    ///   which the library has overwritten with NUL.
    static func size(before bytes: UnsafeRawBufferPointer) -> Int? {
        guard var place = bytes.baseAddress, byte(before: &place) == UInt8(ascii: "\n") else { return nil }
        guard byte(before: &place) == UInt8(ascii: "\r") else { return nil }
        var (size, shift) = (0, 0)
        while let digit = byte(before: &place).hexadecimalValue {
            if digit > 0, shift > 56 { return .max }
            size |= shift > 56 ? 0 : Int(digit) << shift
            shift += 4
        }
        return size
    }

    private static func byte(before place: inout UnsafeRawPointer) -> UInt8 {
        place -= 1
        return place.load(as: UInt8.self)
    }
}
