// Content in pieces: what is too long for one buffer, or for one turn of a thread, is made by and by. `TensorDocument` makes
// JSON, `TensorFile` binary files; `PullEncoding` gathers the pieces of a short answer, `MadeStream` sends those of a long one.

/// Makes the content of an answer from its first byte to its last.
protocol PieceMaker: Sendable {
    /// The next piece, of about `PieceSize.piece` bytes; nil after the last one.
    mutating func next() -> [UInt8]?

    /// Bytes of all pieces, where that is known before they are made.
    var count: Int? { get }
}

extension PieceMaker {
    /// All pieces as one.
    consuming func whole() -> [UInt8] {
        var bytes = next() ?? []
        while let piece = next() { bytes += piece }
        return bytes
    }
}

/// How long content may be to be made one way or another.
public enum PieceSize {
    /// What is made at a time: well under a millisecond of work.
    public static let piece = 1 << 16
    /// What is made on the thread that asks for it, a network thread too.
    public static let inPlace = 1 << 14
    /// What is made once and kept for all who ask; longer content is made for each of them while it is sent.
    public static let shared = 4 << 20
    /// What a stream makes ahead of its reader.
    public static let ahead = 1 << 18
}
