// All timers of the process on one thread, which does nothing but tell others that their time has come: exchanges, the
// journal, the end of the daemon. A test, or a simulation, turns them by hand.

/// Something that is told when its time has come.
public final class Timer: Expiring, Sendable {
    /// Nanoseconds of the monotonic clock; written under the lock of `Timers`, as `place` is.
    public fileprivate(set) nonisolated(unsafe) var deadline = UInt64.max
    /// Where it is among the timers that are set.
    public nonisolated(unsafe) var place: Int?
    fileprivate let ring: @Sendable (Timer) -> Void

    /// A timer that is not set.
    ///
    /// - Parameter ring: called with the timer on the thread of all timers, once for each time that it is set; hands work on and
    ///   never waits.
    public init(_ ring: @escaping @Sendable (Timer) -> Void) { self.ring = ring }
}

/// Timers that are set, and the thread that rings them.
///
/// 1. A timer rings once for each time that it is set, never before its deadline, and not after it was cancelled, except
///    where it was about to ring.
/// 2. Timers ring in the order of their deadlines.
public final class Timers: Loop {
    private struct State {
        var heap = DeadlineHeap<Timer>()
        var isStarted: Bool
        /// Until when the thread rests; it need not be woken for what comes later.
        var end = UInt64.max
    }

    /// The timers of the process.
    public static let process = Timers()

    private let state: Locked<State>
    private let change = Condition()
    private let clock: @Sendable () -> UInt64

    /// Timers with a thread of their own, which `start` starts.
    public init() {
        clock = { Clock.now }
        state = Locked(State(isStarted: false))
    }

    /// Timers without a thread: `turn` rings those whose time has come by `clock`.
    public init(clock: @escaping @Sendable () -> UInt64) {
        self.clock = clock
        state = Locked(State(isStarted: true))
    }

    /// Starts the thread, which runs as long as the process; false where the system has none left.
    public func start() -> Bool {
        state.withLock { state in
            if state.isStarted || Self.isSimulated { return true }
            guard let thread = LoopThread(self) else { return false }
            thread.detach()
            state.isStarted = true
            return true
        }
    }

    /// Whether loops are asked in turn, and look themselves what is due.
    private static var isSimulated: Bool {
        #if DEBUG
            Simulation.current != nil
        #else
            false
        #endif
    }

    /// The time by which they ring.
    public var now: UInt64 { clock() }

    /// How many are set.
    public var count: Int { state.withLock { $0.heap.count } }

    /// Has a timer ring at a time, in place of the one that it was set to.
    public func set(_ timer: Timer, at deadline: UInt64) {
        let comesBeforeEnd = state.withLock { state in
            state.heap.remove(timer)
            timer.deadline = deadline
            state.heap.insert(timer)
            defer { state.end = min(state.end, deadline) }
            return deadline < state.end
        }
        if comesBeforeEnd { change.signal() }
    }

    /// Lets go of a timer; it may be about to ring.
    public func cancel(_ timer: Timer) { state.withLock { $0.heap.remove(timer) } }

    /// Rings the timer whose time has come first.
    public func turn() -> Turn {
        let now = clock()
        let due: Timer? = state.withLock { state in
            guard let first = state.heap.first, first.deadline <= now else { return nil }
            state.heap.remove(first)
            invariant(
                state.heap.first.map { $0.deadline >= first.deadline } ?? true,
                "2: the one after \(first.deadline) comes before")
            return first
        }
        guard let due else { return .idle }
        due.ring(due)
        return .worked
    }

    /// Waits for the earliest deadline, or for an earlier one.
    public func rest() {
        let end = state.withLock { state in
            state.end = state.heap.first?.deadline ?? .max
            return state.end
        }
        state.wait(for: change, until: end) { $0.end < end ? () : nil }
    }
}
