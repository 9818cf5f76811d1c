// An answer with very many pieces, which the library fetches one by one instead of gathering them in one system call.

import CMicroHTTPD

/// Copies pieces, from first to last, into the library's buffer on request.
final class PieceReader {
    private let pieces: [Response.Segment]
    private let count: Int
    private var piece = 0
    /// The offset in the current piece.
    private var taken = 0

    init(_ pieces: [Response.Segment]) {
        self.pieces = pieces
        count = pieces.reduce(0) { $0 + $1.bytes.count }
    }

    /// The library's answer, which keeps this reader until its last byte has been sent.
    func response() -> OpaquePointer? {
        let reader = Unmanaged.passRetained(self)
        let made = MHD_create_response_from_callback(
            UInt64(count), 1 << 16,
            { context, _, buffer, room in
                guard let context, let buffer else { return -1 }
                let reader = Unmanaged<PieceReader>.fromOpaque(context).takeUnretainedValue()
                return reader.read(into: UnsafeMutableRawBufferPointer(start: buffer, count: room))
            },
            reader.toOpaque(), { context in context.map { Unmanaged<PieceReader>.fromOpaque($0).release() } })
        if made == nil { reader.release() }
        return made
    }

    /// Fills the buffer as far as pieces are left, and returns the number of bytes.
    private func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        var filled = 0
        while filled < buffer.count, piece < pieces.count {
            let bytes = pieces[piece].bytes
            let step = min(buffer.count - filled, bytes.count - taken)
            let source = UnsafeRawBufferPointer(rebasing: bytes[taken..<taken + step])
            UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: source)
            (filled, taken) = (filled + step, taken + step)
            if taken == bytes.count { (piece, taken) = (piece + 1, 0) }
        }
        return filled
    }
}
