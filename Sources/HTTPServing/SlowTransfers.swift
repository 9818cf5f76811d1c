// Knows which loop has the slowest body or answer. Loops report theirs; the acceptor, and loops that are short of room,
// ask.

import Threading

/// The slowest transfer of each loop that has one slow enough to be cut.
final class SlowTransfers: Sendable {
    private let slowest = Locked([ObjectIdentifier: (loop: EventLoop, rate: Double)]())

    /// Records the rate of a loop's slowest transfer in bytes per second; nil if it has none.
    func report(_ rate: Double?, of loop: EventLoop) {
        slowest.withLock { $0[ObjectIdentifier(loop)] = rate.map { (loop, $0) } }
    }

    /// Has the slowest transfers cut until about `bytes` are free; for the bodies of one payer, each loop cuts some of
    /// its own.
    func relieve(_ bytes: Int, of payer: String?) {
        guard let payer else {
            loop?.post(.relieve(bytes: bytes, payer: nil))
            return
        }
        for loop in slowest.withLock({ $0.values.map(\.loop) }) { loop.post(.relieve(bytes: bytes, payer: payer)) }
    }

    /// The loop with the slowest transfer of all.
    var loop: EventLoop? {
        slowest.withLock { $0.values.min { $0.rate < $1.rate }?.loop }
    }
}
