// New, slow and closing connections: taking over from the acceptor, the reaper, and the steps of a drain. On the loop's
// thread.

import CMicroHTTPD
import Glibc
import Threading

extension EventLoop {
    /// Passes an accepted socket to the library, which closes it from then on.
    func take(_ accepted: Accepted) {
        guard !isDraining else { return discard(accepted) }
        let deadline = now + configuration.headDeadline.nanoseconds
        let connection = Connection(
            descriptor: accepted.descriptor, remote: accepted.remote, stage: .idle(deadline: deadline))
        guard pay(for: connection) else {
            refuse(accepted)
            return census.leave(accepted.remote)
        }
        connections[accepted.descriptor] = connection
        poller.watch(accepted.descriptor)
        counters.accepted += 1
        let isTaken = accepted.remote.address.withPointer { address, length in
            MHD_add_connection(daemon, accepted.descriptor, address, length) == .YES
        }
        if !isTaken, connections.removeValue(forKey: accepted.descriptor) != nil { census.leave(accepted.remote) }
    }

    /// Closes a socket that was accepted too late.
    func discard(_ accepted: Accepted) {
        close(accepted.descriptor)
        census.leave(accepted.remote)
    }

    /// Checks every connection, cuts those past their deadline and returns memory of long waits, a limited number at a
    /// time: a return takes about a quarter of the time of a cut.
    func sweep() {
        var left = 4 * min(configuration.connectionsPerTurn, .max / 4)
        for connection in connections.values {
            if let seat = connection.seat {
                if returnMemory(of: seat) { left -= 1 }
            } else if check(connection) {
                left -= 4
            }
            guard left > 0 else { return nextSweep = now + configuration.sweepInterval / 16 }
        }
        slowTransfers.report(slowest?.rate, of: self)
        nextSweep = now + configuration.sweepInterval
    }

    /// - Returns: whether the connection was cut.
    private func check(_ connection: Connection) -> Bool {
        switch connection.stage {
        case .held:
            // After a rest the library calls the handler only when more of the body arrives.
            if let transaction = connection.transaction, transaction.isResting {
                watchPace(of: transaction)
            }
            return false
        case .idle(let deadline), .lingering(let deadline):
            guard now >= deadline else { return false }
            if connection.isLingering { lingeringCount -= 1 }
            connection.cut()
            connection.stage = .held
        case .head(let deadline):
            guard now >= deadline else { return false }
            refuse(connection, .headTimedOut)
        case .body(let window):
            let received = connection.transaction?.receivedBytes ?? 0
            guard let next = following(window, bytes: received) else {
                refuse(connection, .bodyTimedOut(rate: configuration.minimumRate))
                return true
            }
            connection.stage = .body(next)
            connection.checkBody(piece: configuration.connectionMemory / 2, at: now)
            return false
        case .answer(let window):
            guard let taken = connection.acknowledgedBytes else { return false }
            let window = window ?? Connection.Window(start: now, bytes: taken)
            guard let next = following(window, bytes: taken) else {
                connection.cut()
                return true
            }
            connection.answer.rate = rate(of: taken - window.bytes, since: window.start)
            connection.stage = .answer(next)
            return false
        }
        return true
    }

    /// The next measuring period, or nil if too few bytes were transferred in the current one.
    private func following(_ window: Connection.Window, bytes: Int) -> Connection.Window? {
        let elapsed = now - window.start
        guard elapsed >= configuration.rateWindow.nanoseconds else { return window }
        let least = Double(configuration.minimumRate) * Double(elapsed) / 1e9
        return Double(bytes - window.bytes) < least ? nil : Connection.Window(start: now, bytes: bytes)
    }

    /// Answers before the request is complete, and cuts the connection.
    func refuse(_ connection: Connection, _ refusal: Refusal) {
        EarlyAnswer(configuration.render(refusal)).send(to: connection.descriptor)
        connection.discardUnread()
        connection.cut()
        connection.stage = .held
    }

    /// Receives and discards further bytes, so that the client can read its answer; if there are too many such
    /// connections, the oldest is closed.
    func linger(_ connection: Connection) {
        if !connection.isLingering {
            lingeringCount += 1
            lingering.append(connection)
        }
        connection.stage = .lingering(deadline: now + configuration.lingerDeadline.nanoseconds)
        let most = configuration.maximumLingering
        while lingeringCount > most || lingering.count > 4 * most, let oldest = lingering.popFirst() {
            guard oldest.isLingering else { continue }
            oldest.cut()
            oldest.stage = .held
            lingeringCount -= 1
        }
    }

    /// Releases connections whose clients send nothing more, once all they sent is read and answered.
    func releaseFinished() {
        let candidates = finished
        finished = []
        for connection in candidates where connections[connection.descriptor] === connection {
            switch connection.stage {
            case .held, .answer: break
            case .idle, .head, .body, .lingering:
                if connection.unreadBytes > 0 { finished.append(connection) } else { connection.cut() }
            }
        }
    }

    /// Refuses new requests from now on, and closes idle connections.
    func drain() {
        isDraining = true
        for connection in connections.values {
            if case .idle = connection.stage { connection.cut() }
        }
    }
}
