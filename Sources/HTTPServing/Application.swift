// What the server asks of the program it serves: one decision per request, made from the head alone.
// Implemented by the neighbour that knows routes; called on the event loops' threads, so it must not block.

/// The program behind a server.
public protocol Application: Sendable {
    /// Decides what becomes of a request, before any byte of its body has been read.
    ///
    /// Called on an event loop's thread: it must not block.
    func route(_ request: Request) -> Plan
}

/// What becomes of a request.
public enum Plan {
    /// Answer now. Where a body was announced it is not read, and the connection closes.
    case refuse(Response)
    /// Stream the body into a receiver, at most `limit` bytes of it: a longer one is answered 413, at once when its
    /// length was announced. A request without a body of either kind is answered 411.
    case read(any BodyReceiver, limit: Int)
    /// No body is wanted; a short one is read and ignored. The closure runs on the loop's thread.
    case answer((Exchange) -> Void)
}

/// Where the bytes of one request's body go; every call comes on the thread of one event loop.
public protocol BodyReceiver: AnyObject {
    /// With whom what it holds is counted, for refusals that say whose bodies have to make room (`Response.payer`).
    var payers: [String] { get }

    /// Takes the next bytes, valid during the call only.
    ///
    /// - Returns: nil to go on; an answer to stop here: no further call follows.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Response?

    /// The whole body has arrived; the exchange must be completed, now or later.
    func finish(_ exchange: Exchange)

    /// The body will never be complete: the client left, was too slow, or sent too much. No further call follows.
    func abandon()
}

extension BodyReceiver {
    /// No one.
    public var payers: [String] { [] }
}
