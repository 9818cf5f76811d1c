// Makes room when connections or memory run out: the slowest bodies and answers are cut first. On the loop's thread;
// `SlowTransfers` knows which loop has the slowest.

import Glibc

extension EventLoop {
    /// The slowest body or answer that is slow and old enough to be cut; its rate in bytes per second.
    var slowest: (connection: Connection, rate: Double)? { slowest(of: nil) }

    /// The slowest among the bodies of one payer.
    private func slowest(of payer: String?) -> (connection: Connection, rate: Double)? {
        var slowest: (connection: Connection, rate: Double)?
        for connection in connections.values {
            guard let rate = rate(of: connection), rate < slowest?.rate ?? Double(configuration.pressureRate) else {
                continue
            }
            if payer.map(connection.isPaid(by:)) ?? true { slowest = (connection, rate) }
        }
        return slowest
    }

    private func rate(of connection: Connection) -> Double? {
        switch connection.stage {
        case .body: connection.transaction.flatMap { rate(of: $0.receivedBytes, since: connection.bodyStart) }
        case .answer: connection.answer.rate
        case .idle, .head, .held, .lingering: nil
        }
    }

    /// Bytes per second; nil for a transfer that has just started.
    func rate(of bytes: Int, since start: UInt64) -> Double? {
        let age = now - min(now, start)
        guard age > 0, age >= configuration.pressureGrace.nanoseconds else { return nil }
        return Double(bytes) * 1e9 / Double(age)
    }

    /// Cuts the slowest transfers of this loop until about `bytes` are free, at least one.
    func relieve(_ bytes: Int, of payer: String?) {
        var missing = max(1, bytes)
        while missing > 0, let freed = cutSlowest(of: payer) { missing -= freed }
        guard payer == nil, missing > 0, let other = slowTransfers.loop, other !== self else { return }
        other.post(.relieve(bytes: missing, payer: nil))
    }

    /// Cuts the slowest transfer; its memory is free immediately, or when the library releases the connection.
    ///
    /// - Returns: about how many bytes become free; nil if there is none to cut.
    private func cutSlowest(of payer: String? = nil) -> Int? {
        guard let connection = slowest(of: payer)?.connection else { return nil }
        defer { slowTransfers.report(slowest?.rate, of: self) }
        guard case .body = connection.stage else {
            connection.stage = .held
            connection.cut()
            return connection.answer.bytes
        }
        let refusal = Refusal.outpaced(rate: configuration.pressureRate)
        counters.count(configuration.render(refusal))
        let freed = connection.transaction?.receivedBytes ?? 0
        connection.transaction?.end()
        refuse(connection, refusal)
        return freed
    }

    /// Closes the slowest transfer to make room for a new connection, or refuses the connection.
    func contest(_ accepted: Accepted) {
        guard cutSlowest() != nil else { return refuse(accepted) }
        census.enterBeyondLimit(accepted.remote)
        take(accepted)
    }

    /// Refuses a connection that is not counted.
    func refuse(_ accepted: Accepted) {
        EarlyAnswer(configuration.render(.tooManyConnections)).send(to: accepted.descriptor)
        close(accepted.descriptor)
    }
}
