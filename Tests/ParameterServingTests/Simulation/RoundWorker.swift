// What the client of a worker knows of its registration and its lease. The daemon has heard from it between the sending
// of a request and the answer, so the time at which its lease may run out is between two bounds.

/// A worker in a history of rounds.
struct RoundWorker {
    /// Its registration; 0 before the first.
    var epoch = 0
    /// The length of its lease in nanoseconds; nil without one.
    var ttl: UInt64?
    /// The number of its last push in this registration.
    var lastSeq = 0
    /// The highest number that was accepted; nil if a power cut may have lost some.
    var accepted: Int? = 0
    /// Whether the model certainly knows it, and so the receipt of its last push.
    var isKnown = false
    /// Whether it knows that its registration has ended.
    var hasEnded = false
    /// Whether a push was refused because it is not registered.
    var mustRegister = false
    /// Whether its registration may have ended before the start of the daemon, or may be lost.
    var isDoubtful = false
    /// Whether it sends nothing for a time.
    var isSilent = false
    /// Registrations that have certainly ended.
    var ended: [Int] = []
    /// Its next generation of the barrier.
    var generation = 1
    /// Its lease was last renewed at this time or later.
    private(set) var heardSince: UInt64 = 0
    /// Its lease was last renewed at this time or earlier, except by a request without an answer.
    private(set) var heardUntil: UInt64 = 0

    /// Records that a request of its registration was answered.
    ///
    /// - Parameters:
    ///   - sent: when it was sent; nil for one that was refused.
    ///   - now: the time.
    mutating func hear(from sent: UInt64?, to now: UInt64) {
        heardSince = max(heardSince, sent ?? 0)
        heardUntil = now
    }

    /// Begins a registration.
    mutating func register(_ epoch: Int, ttl: Int?, isRepeated: Bool) {
        // The epoch of one that a power cut has lost may be reused.
        if !isDoubtful { end(self.epoch) }
        (self.epoch, self.ttl) = (epoch, ttl.map { UInt64($0) * 1_000_000_000 })
        (lastSeq, accepted, isKnown, isDoubtful) = (0, 0, true, isRepeated)
        (hasEnded, mustRegister) = (false, false)
    }

    /// Records that a registration has certainly ended.
    mutating func end(_ epoch: Int) {
        if epoch > 0, !ended.contains(epoch) { ended.append(epoch) }
    }

    /// Whether its registration may have ended by now without its client: its lease may have run out.
    func mayHaveEnded(at now: UInt64) -> Bool {
        isDoubtful || ttl.map { now >= heardSince + $0 } ?? false
    }

    /// Whether its lease must have run out so long ago that the end must be logged.
    func mustHaveEnded(at now: UInt64, grace: UInt64) -> Bool {
        ttl.map { now > heardUntil + $0 + grace } ?? false
    }

    /// Starts its lease again, as a daemon does that starts.
    ///
    /// - Parameters:
    ///   - end: when the daemon before ended.
    ///   - now: the time of the new daemon.
    mutating func restart(after end: UInt64, at now: UInt64) {
        isDoubtful = mayHaveEnded(at: end)
        (heardSince, heardUntil) = (0, now)
    }

    /// Records that the daemon may have lost its registration and any of its pushes.
    mutating func doubt() {
        (isDoubtful, accepted, isKnown, ended) = (true, nil, false, [])
    }
}
