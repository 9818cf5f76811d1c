// Memory that clients make the server hold: connections, and answers that they do not read. The program's budget lends
// or refuses it (`HTTPConfiguration.lend`).

import CMicroHTTPD

extension EventLoop {
    /// Answers up to this size are included in the memory of a connection.
    private static let shortAnswer = 4_096
    /// The number of connections, over all loops, that are not counted: a daemon needs some even with little memory.
    private static let freeConnections = 256

    /// Takes the memory of a connection from the budget, unless it is one of the first; false if the budget has none
    /// left.
    func pay(for connection: Connection) -> Bool {
        guard connections.count >= Self.freeConnections / max(1, configuration.loopCount) else { return true }
        connection.loan = configuration.lend(
            configuration.connectionMemory + HTTPConfiguration.connectionOverhead, false)
        return connection.loan != nil
    }

    /// Returns the memory that the library has cleared for a request and does not use, once the request has waited
    /// long: what a short wait would save does not pay for the page faults after it.
    ///
    /// - Returns: whether memory was returned.
    func returnMemory(of seat: Seat) -> Bool {
        let isLong = now >= seat.start + configuration.longWait.nanoseconds
        guard isLong, seat.connection.hasClearedMemory, let start = seat.transaction.start, seat.exchange.isWatched
        else {
            return false
        }
        seat.connection.hasClearedMemory = false
        http_return_zeros(start, configuration.connectionMemory)
        return true
    }

    /// An answer whose memory is counted until the client has received it; or the refusal in its place.
    ///
    /// - Parameter isOwed: whether the request has changed something, so that its answer cannot be a refusal.
    func backed(_ response: Response, isOwed: Bool) -> Response {
        guard case .bytes(let bytes) = response.body, bytes.count > Self.shortAnswer else { return response }
        guard let loan = response.loan ?? configuration.lend(bytes.count, isOwed) else {
            return configuration.render(.noRoomForAnswer(bytes: bytes.count))
        }
        var response = response
        response.body = .segments([LentBytes(bytes, loan).segment])
        return response
    }
}

/// A copy of an answer's bytes, with the memory lent for it.
private final class LentBytes {
    private let memory: UnsafeMutableRawBufferPointer
    private let loan: any AnyObject & Sendable

    init(_ bytes: [UInt8], _ loan: any AnyObject & Sendable) {
        memory = .allocate(byteCount: bytes.count, alignment: 16)
        memory.copyBytes(from: bytes)
        self.loan = loan
    }

    deinit { memory.deallocate() }

    var segment: Response.Segment { Response.Segment(owner: self, bytes: UnsafeRawBufferPointer(memory)) }
}
