// Content that is made while it is sent: neither its bytes nor their number are there when the answer begins. Implemented by
// applications, which make it on threads of their own; read by the loop that owns the connection.

/// The content of one answer, made piece by piece.
public protocol BodySource: AnyObject, Sendable {
    /// Bytes of the content, where they are known before it is made.
    var count: Int? { get }

    /// About how many bytes it holds at most while it is sent.
    var heldBytes: Int { get }

    /// Copies the next bytes into `buffer`; called on the loop's thread, so it makes none of them.
    ///
    /// - Parameter wake: to be called once, from any thread, when there is more to read after `.later`.
    func read(into buffer: UnsafeMutableRawBufferPointer, orElse wake: @escaping @Sendable () -> Void) -> BodyRead

    /// No further call follows: all has been read, or the client has left.
    func close()
}

/// What a source had to read.
public enum BodyRead: Sendable, Equatable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing yet.
    case later
    /// Nothing any more: the content is complete.
    case end
}
