// Room for others: where connections or memory run out, the slowest body goes first. On the loop's thread; which loop has
// the slowest one is known to `SlowBodies`.

import Glibc

extension EventLoop {
    /// The slowest body that is slow enough, and old enough, to be cut; its rate in bytes per second.
    var slowestBody: (connection: Connection, rate: Double)? {
        var slowest: (connection: Connection, rate: Double)?
        for connection in connections.values {
            guard let rate = rate(of: connection), rate < slowest?.rate ?? Double(configuration.pressureRate) else {
                continue
            }
            slowest = (connection, rate)
        }
        return slowest
    }

    private func rate(of connection: Connection) -> Double? {
        guard case .body = connection.stage, let transaction = connection.transaction else { return nil }
        let age = now - min(now, connection.bodyStart)
        guard age > 0, age >= configuration.pressureGrace.nanoseconds else { return nil }
        return Double(transaction.receivedBytes) * 1e9 / Double(age)
    }

    /// Cuts the slowest body; what it holds is free at once.
    ///
    /// - Returns: whether there was one.
    func cutSlowestBody() -> Bool {
        guard let slowest = slowestBody?.connection else { return false }
        let refusal = Refusal.outpaced(rate: configuration.pressureRate)
        counters.count(configuration.render(refusal))
        slowest.transaction?.end()
        refuse(slowest, refusal)
        slowBodies.report(slowestBody?.rate, of: self)
        return true
    }

    /// Takes a connection for which there is no room in place of the slowest body, or refuses it.
    func contest(_ accepted: Accepted) {
        guard cutSlowestBody() else { return refuse(accepted) }
        census.enterBeyondLimit(accepted.remote)
        take(accepted)
    }

    /// Turns away a connection that has not been counted in.
    func refuse(_ accepted: Accepted) {
        EarlyAnswer(configuration.render(.tooManyConnections)).send(to: accepted.descriptor)
        close(accepted.descriptor)
    }
}
