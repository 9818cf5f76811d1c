// All timers of the process, on one thread that only notifies others: exchanges, the journal, the end of the daemon.
// Tests and simulations run it by hand.

/// A callback with a deadline.
public final class Timer: Expiring, Sendable {
    /// Nanoseconds of the monotonic clock.
    ///
    /// Written under the lock of `Timers`, like `place`.
    public fileprivate(set) nonisolated(unsafe) var deadline = UInt64.max
    /// Its index among the timers that are set.
    public nonisolated(unsafe) var place: Int?
    fileprivate let ring: @Sendable (Timer) -> Void

    /// Makes a timer that is not set.
    ///
    /// - Parameter ring: called on the timer thread, once each time that the timer is set. It must hand work to another
    ///   thread and never block.
    public init(_ ring: @escaping @Sendable (Timer) -> Void) { self.ring = ring }
}

/// The timers that are set, and the thread that rings them.
///
/// 1. A timer rings once each time that it is set, and never before its deadline. A cancelled timer does not ring,
///    unless it was about to.
/// 2. Timers ring in the order of their deadlines.
public final class Timers: Loop {
    private struct State {
        var heap = DeadlineHeap<Timer>()
        var isStarted: Bool
        /// When the thread wakes next; a timer with a later deadline need not wake it.
        var end = UInt64.max
    }

    /// The timers of the process.
    public static let process = Timers()

    private let state: Locked<State>
    private let change = Condition()
    private let clock: @Sendable () -> UInt64

    /// Makes timers with their own thread, which `start` starts.
    public init() {
        clock = { Clock.now }
        state = Locked(State(isStarted: false))
    }

    /// Makes timers without a thread: `turn` rings the timers that are due by `clock`.
    public init(clock: @escaping @Sendable () -> UInt64) {
        self.clock = clock
        state = Locked(State(isStarted: true))
    }

    /// Starts the thread, which runs as long as the process.
    ///
    /// False if the system refuses a thread.
    public func start() -> Bool {
        state.withLock { state in
            if state.isStarted || Self.isSimulated { return true }
            guard let thread = LoopThread(self) else { return false }
            thread.detach()
            state.isStarted = true
            return true
        }
    }

    /// Whether loops take turns and look for due timers themselves.
    private static var isSimulated: Bool {
        #if DEBUG
            Simulation.current != nil
        #else
            false
        #endif
    }

    /// The clock that the timers follow.
    public var now: UInt64 { clock() }

    /// The number of timers that are set.
    public var count: Int { state.withLock { $0.heap.count } }

    /// Sets a timer, replacing its previous deadline.
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

    /// Cancels a timer.
    ///
    /// It may be about to ring.
    public func cancel(_ timer: Timer) { state.withLock { $0.heap.remove(timer) } }

    /// Rings the earliest timer that is due.
    public func turn() -> Turn {
        let now = clock()
        let due: Timer? = state.withLock { state in
            guard let first = state.heap.first, first.deadline <= now else { return nil }
            state.heap.remove(first)
            invariant(
                state.heap.first.map { $0.deadline >= first.deadline } ?? true,
                "2: the timer after \(first.deadline) has an earlier deadline")
            return first
        }
        guard let due else { return .idle }
        due.ring(due)
        return .worked
    }

    /// Waits for the earliest deadline, or until an earlier one is set.
    public func rest() {
        let end = state.withLock { state in
            state.end = state.heap.first?.deadline ?? .max
            return state.end
        }
        state.wait(for: change, until: end) { $0.end < end ? () : nil }
    }
}
