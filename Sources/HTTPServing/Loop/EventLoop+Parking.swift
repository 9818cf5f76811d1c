// Parked exchanges: suspending and resuming their connections, and detecting that their clients left, which the library
// does not do for suspended connections. On the loop's thread; deadlines arrive as messages from `Timers`.

import CMicroHTTPD
import Glibc

extension EventLoop {
    /// Registers an exchange whose connection has just been suspended.
    func park(_ exchange: Exchange, of transaction: Transaction) {
        let seat = Seat(
            exchange: exchange, connection: transaction.connection, transaction: transaction, start: now)
        seats[ObjectIdentifier(exchange)] = seat
        seat.connection.seat = seat
        refresh(seat)
        if isDismissing { dismiss(seat) }
    }

    /// Checks whether a client that sends nothing more matters to its exchange.
    func refresh(_ seat: Seat) {
        guard seat.connection.hasFinishedSending, seat.exchange.isWatched else { return }
        let end = timers.now + configuration.halfClosedPatience.nanoseconds
        if !seat.exchange.hurry(by: end) { leave(seat) }
    }

    /// Resumes the connection of a settled exchange; the library calls the handler again in its next run.
    func resume(_ seat: Seat) {
        seats[ObjectIdentifier(seat.exchange)] = nil
        seat.connection.seat = nil
        seat.connection.excuseRest(of: now - seat.start)
        // If the client has closed its side, the library would read that first and drop the connection without an
        // answer.
        http_visit(seat.transaction.handle, 1)
        MHD_resume_connection(seat.transaction.handle)
    }

    /// Handles a client that sends nothing more: it has finished, or it has left.
    ///
    /// Only an attempt to send would tell which. So a watched exchange with a deadline is answered early, as at its
    /// deadline; a watched exchange without a deadline is abandoned.
    func ended(_ ending: Poller.Ending) {
        guard let connection = connections[ending.descriptor] else { return }
        connection.hasFinishedSending = true
        finished.append(connection)
        if ending.isGone { connection.stream?.cut() } else { connection.stream?.noteClientFinished() }
        guard let seat = connection.seat else { return }
        if ending.isGone, seat.exchange.isWatched { leave(seat) } else { refresh(seat) }
    }

    /// Abandons the exchange: its client has left.
    private func leave(_ seat: Seat) {
        seat.exchange.abandon()
        resume(seat)
    }

    /// Answers all parked exchanges, now and from now on, with 503.
    func dismiss() {
        isDismissing = true
        for seat in seats.values { dismiss(seat) }
    }

    private func dismiss(_ seat: Seat) {
        let answer = configuration.render(seat.transaction.mayChangeState ? .cutOff : .draining)
        seat.exchange.complete { answer }
    }
}
