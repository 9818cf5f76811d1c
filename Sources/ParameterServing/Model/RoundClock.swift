// The deadline of the open round. It belongs to the live model and not to the state: what a deadline causes is logged,
// when it was is not, and after a start an open round has its whole time again.

import Threading

/// The timer of a model's rounds, and what it has learned about their length.
struct RoundClock {
    /// The number of rounds from which a length is learned.
    private static let remembered = 32
    /// The number of rounds before anything is learned.
    private static let least = 4
    /// No round that learns its length is shorter.
    private static let shortest = Duration.seconds(1)

    private let timers: Timers
    private let timer: Timer
    /// The open round; nil if none has a deadline.
    private(set) var round: Int?
    private var timeout = RoundTimeout.automatic
    private var start: UInt64 = 0
    private var deadline: UInt64 = 0
    /// The time from the first push of the last round to its last deadline that has come.
    private(set) var waited = Duration.zero
    /// Nanoseconds from the first push to the quorum, the latest last.
    private var times: [UInt64] = []

    /// - Parameter ring: called at a deadline, on the timer thread.
    init(_ timers: Timers, ring: @escaping @Sendable () -> Void) {
        self.timers = timers
        timer = Timer { _ in ring() }
    }

    /// Starts the time of a round; that of the open one counts from its first push with another timeout too.
    mutating func start(_ round: Int, _ timeout: RoundTimeout) {
        let now = timers.now
        if round != self.round { start = now }
        (self.round, self.timeout, waited) = (round, timeout, .zero)
        deadline = max(now, start + length(timeout).nanoseconds)
        timers.set(timer, at: deadline)
    }

    /// Gives the open round as long again.
    mutating func extend() {
        waited = .nanoseconds(Int64(deadline - start))
        deadline = timers.now + length(timeout).nanoseconds
        timers.set(timer, at: deadline)
    }

    /// Learns from a round that has its quorum.
    mutating func noteQuorum(_ round: Int) {
        guard round == self.round else { return }
        times.append(timers.now - start)
        if times.count > Self.remembered { times.removeFirst() }
    }

    /// Ends the time of the round.
    mutating func stop() {
        round = nil
        timers.cancel(timer)
    }

    /// Whether the deadline has come: a timer may have rung for an earlier one.
    var isDue: Bool { round != nil && timers.now >= deadline }

    /// The time left; nil without a deadline.
    var left: Duration? {
        guard round != nil else { return nil }
        return .nanoseconds(Int64(deadline - min(deadline, timers.now)))
    }

    /// The time that a round has: learned ones have twice what nine of ten needed for their quorum.
    func length(_ timeout: RoundTimeout) -> Duration {
        guard timeout == .automatic, times.count >= Self.least else { return timeout.atStart }
        let usual = times.sorted()[times.count * 9 / 10]
        return max(Self.shortest, min(.nanoseconds(Int64(2 * usual)), RoundTimeout.standard))
    }
}
