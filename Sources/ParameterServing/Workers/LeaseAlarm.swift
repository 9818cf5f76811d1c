// Wakes a model when its earliest lease may have run out.

import Threading

/// A timer that follows the deadlines of a model's leases.
///
/// Used by the thread of its model, except that it rings on the thread of its timers.
final class LeaseAlarm {
    private let timers: Timers
    private var timer: Timer?
    /// The deadline that the timer was set to; nil if it is not set.
    private var deadline: UInt64?

    init(_ timers: Timers) { self.timers = timers }

    /// Sets what the alarm does.
    ///
    /// - Parameter body: hands the work to another thread.
    func ring(_ body: @escaping @Sendable () -> Void) { timer = Timer { _ in body() } }

    /// Follows the earliest deadline; nil if no lease is left.
    func set(to next: UInt64?) {
        guard next != deadline, let timer else { return }
        deadline = next
        if let next { timers.set(timer, at: next) } else { timers.cancel(timer) }
    }

    deinit { if let timer { timers.cancel(timer) } }
}
