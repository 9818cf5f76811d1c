// Content in pieces, for what is too long for one buffer or for one turn of a thread. `TensorDocument` makes JSON,
// `TensorFile` binary files; `PullEncoding` collects the pieces of a short answer, `MadeStream` sends those of a long
// one.

/// Makes the content of an answer from its first byte to its last.
protocol PieceMaker: Sendable {
    /// The next piece, of about `PieceSize.piece` bytes; nil after the last one.
    mutating func next() -> [UInt8]?

    /// The size of all pieces in bytes, if known in advance.
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

/// The sizes that decide how content is made.
public enum PieceSize {
    /// A piece: well under a millisecond of work.
    public static let piece = 1 << 16
    /// The most content made on the requesting thread, even a network thread.
    public static let inPlace = 1 << 14
    /// The most content made once and kept for all; longer content is made for each request while it is sent.
    public static let shared = 4 << 20
    /// The most content that a stream makes ahead of its reader.
    public static let ahead = 1 << 18
}
