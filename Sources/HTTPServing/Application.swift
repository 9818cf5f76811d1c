// The interface of the program behind the server: one decision per request, made from the head alone. The module with
// the routes implements it; it runs on the event loops' threads, so it must not block.

/// The program behind a server.
public protocol Application: Sendable {
    /// Decides how to handle a request, before any byte of its body is read.
    ///
    /// Called on an event loop's thread; it must not block.
    func route(_ request: Request) -> Plan
}

/// The handling of a request.
public enum Plan {
    /// Answer immediately. An announced body is not read, and the connection is closed.
    case refuse(Response)
    /// Stream the body into a receiver, up to `limit` bytes: a longer body is answered with 413, immediately if its
    /// length was announced. A request without a body is answered with 411.
    case read(any BodyReceiver, limit: Int)
    /// No body is expected; a short one is read and ignored. The closure runs on the loop's thread.
    case answer((Exchange) -> Void)
}

/// Receives the body of one request; all calls come on the thread of one event loop.
public protocol BodyReceiver: AnyObject {
    /// The payers of its memory, for refusals that name whose bodies must make room (`Response.payer`).
    var payers: [String] { get }

    /// Takes the next bytes, which are valid only during the call.
    ///
    /// - Returns: nil to continue; an answer to stop here: no further call follows.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Response?

    /// Starts the work that must be done before the next bytes and takes longer than a call may take; nil if there is
    /// none.
    ///
    /// The connection rests until the exchange is completed: with status 100 to continue, or with the answer to stop
    /// here.
    var pause: ((Exchange) -> Void)? { get }

    /// The whole body has arrived. Complete the exchange, now or later.
    func finish(_ exchange: Exchange)

    /// The body will not be completed: the client left, was too slow, or sent too much. No further call follows.
    func abandon()
}

extension BodyReceiver {
    /// No payers.
    public var payers: [String] { [] }

    /// No work.
    public var pause: ((Exchange) -> Void)? { nil }
}
