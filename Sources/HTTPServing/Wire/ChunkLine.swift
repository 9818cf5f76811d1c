// The size line of a chunk. The library delivers a chunk's bytes without the line before them; the line is in its
// memory if it arrived together with the first of them. Read by the loop's handler.

/// The line before a chunk's first byte.
enum ChunkLine {
    /// The size in the line right before `bytes`, `Int.max` if it is larger; nil if there is no line.
    ///
    /// - `bytes`: a piece of a chunked body as the library delivers it. Before it is a line, or the end of the head,
    ///   which the library has overwritten with NUL.
    static func size(before bytes: UnsafeRawBufferPointer) -> Int? {
        guard var place = bytes.baseAddress, byte(before: &place) == UInt8(ascii: "\n") else { return nil }
        guard byte(before: &place) == UInt8(ascii: "\r") else { return nil }
        // Backwards to the start of the line: extensions may follow the size.
        var line: [UInt8] = []
        var next = byte(before: &place)
        while next != 0, next != UInt8(ascii: "\n") {
            line.append(next)
            next = byte(before: &place)
        }
        return size(of: line.reversed())
    }

    private static func size(of line: some Sequence<UInt8>) -> Int {
        var size = 0
        for digit in line.lazy.map(\.hexadecimalValue) {
            guard let digit else { break }
            guard size >> 56 == 0 else { return .max }
            size = size << 4 | Int(digit)
        }
        return size
    }

    private static func byte(before place: inout UnsafeRawPointer) -> UInt8 {
        place -= 1
        return place.load(as: UInt8.self)
    }
}
