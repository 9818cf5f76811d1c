// Content that is produced while it is sent: neither its bytes nor its length exist when the answer starts.
// Applications produce it on their own threads; the loop that owns the connection reads it.

/// The content of one answer, produced piece by piece.
public protocol BodySource: AnyObject, Sendable {
    /// The length in bytes, if it is known in advance.
    var count: Int? { get }

    /// The approximate peak of the memory it uses while it is sent, in bytes.
    var heldBytes: Int { get }

    /// Copies the next bytes into `buffer`. Called on the loop's thread, so it must not produce them itself.
    ///
    /// - Parameter wake: to be called once, from any thread, when more can be read after `.later`.
    func read(into buffer: UnsafeMutableRawBufferPointer, orElse wake: @escaping @Sendable () -> Void) -> BodyRead

    /// The client sends nothing more: it has closed its sending side, or it has left. Sending something tells which.
    func noteClientFinished()

    /// No further call follows: everything has been read, or the client has left.
    func close()
}

extension BodySource {
    /// Does nothing: an answer that is being sent shows by itself whether anyone receives it.
    public func noteClientFinished() {}
}

/// The result of a read.
public enum BodyRead: Sendable, Equatable {
    /// This many bytes, at least one.
    case bytes(Int)
    /// Nothing yet.
    case later
    /// The content is complete.
    case end
}
