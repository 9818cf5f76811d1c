// A request that waits for its answer: where the computing threads meet the loop that sends. `Transaction` passes it to
// applications; any thread completes it; the loop that owns the connection is woken.

import Threading

/// A request that waits for its answer.
///
/// Any thread may use it. The first completion counts, later ones are ignored. Every exchange must be completed
/// eventually; from then on it keeps nothing alive, however long the application holds it.
public final class Exchange: Sendable {
    /// Makes an answer, on the loop's thread, just before it is sent.
    public typealias Making = @Sendable () -> Response

    private let state: Locked<State>

    init(loop: any ExchangeLoop) {
        state = Locked(.open(Waiting(loop: loop)))
    }

    /// Answers the request.
    ///
    /// If called before the closure that received the exchange returns, the answer is sent immediately; otherwise the
    /// parked connection is woken. `make` runs on the loop's thread, or never if the client has left.
    public func complete(_ make: @escaping Making) {
        guard let waiting = settle(.resolved(make)), waiting.isParked else { return }
        waiting.loop.post(waiting.abandonment == nil ? .settled(self) : .woken(self))
    }

    /// Answers with `make` if the request is still unanswered after `delay`; a later call replaces the earlier one.
    ///
    /// - Parameter leaving: the answer in place of `make` to a client that sends nothing more: it has probably left.
    public func expire(after delay: Duration, leaving: Making? = nil, _ make: @escaping Making) {
        expire(after: delay, leaving: leaving, .answer(make))
    }

    /// Calls `ask` if the request is still unanswered after `delay`: it makes another thread complete the exchange, with
    /// what only that thread knows.
    public func expire(after delay: Duration, asking ask: @escaping @Sendable () -> Void) {
        expire(after: delay, leaving: nil, .ask(ask))
    }

    private func expire(after delay: Duration, leaving: Making?, _ ending: Ending) {
        guard let timers = waiting?.loop.timers else { return }
        let timer = Timer { [weak self] timer in self?.expire(by: timer) }
        let expiry = Expiry(deadline: timers.now + delay.nanoseconds, timer: timer, leaving: leaving, ending: ending)
        guard let before = adjust({ $0.expiry = expiry }) else { return }
        if let earlier = before.expiry { timers.cancel(earlier.timer) }
        set(timer, at: expiry.deadline, in: timers)
    }

    private func set(_ timer: Timer, at deadline: UInt64, in timers: Timers) {
        timers.set(timer, at: deadline)
        // If the exchange was settled meanwhile, there was nothing to cancel.
        if waiting == nil { timers.cancel(timer) }
    }

    /// Calls `body` if the client leaves while the request is parked; immediately if it has already left.
    ///
    /// Only an exchange with such a closure is watched. Without one it stays parked until it is completed, and its
    /// answer still reaches a client that has only closed its sending side. Such a client looks the same as one that
    /// has left: if the exchange also has a deadline (`expire`), it waits a short while and is then answered as at its
    /// deadline; without a deadline it counts as abandoned.
    public func onAbandon(_ body: @escaping @Sendable () -> Void) {
        if adjust({ $0.abandonment = body }) == nil, isAbandoned { body() }
    }

    private var isAbandoned: Bool {
        state.withLock { if case .abandoned = $0 { true } else { false } }
    }

    private enum State {
        case open(Waiting)
        case resolved(Making)
        case abandoned
        case answered
    }

    /// The state of an open exchange.
    private struct Waiting {
        let loop: any ExchangeLoop
        var isParked = false
        var expiry: Expiry?
        var abandonment: (@Sendable () -> Void)?
    }

    /// The answer for a deadline, and its time.
    private struct Expiry {
        let deadline: UInt64
        let timer: Timer
        let leaving: Making?
        var ending: Ending
    }

    /// What happens at a deadline.
    private enum Ending {
        case answer(Making)
        case ask(@Sendable () -> Void)
    }

    /// The state of an open exchange; nil if it is no longer open.
    private var waiting: Waiting? { state.withLock { if case .open(let waiting) = $0 { waiting } else { nil } } }

    /// Changes the state of an open exchange, and informs its loop if it is parked.
    ///
    /// - Returns: the previous state; nil if the exchange is no longer open.
    private func adjust(_ change: (inout Waiting) -> Void) -> Waiting? {
        let before: Waiting? = state.withLock { state in
            guard case .open(var waiting) = state else { return nil }
            let before = waiting
            change(&waiting)
            state = .open(waiting)
            return before
        }
        if let before, before.isParked { before.loop.post(.changed(self)) }
        return before
    }

    /// Closes an exchange.
    ///
    /// - Returns: its state, if it was open. The caller frees its closures, outside the lock.
    private func settle(_ next: State) -> Waiting? {
        let waiting: Waiting? = state.withLock { state in
            guard case .open(let waiting) = state else { return nil }
            state = next
            return waiting
        }
        if let waiting, let expiry = waiting.expiry { waiting.loop.timers.cancel(expiry.timer) }
        return waiting
    }
}

/// The loop's side. All of it runs on the loop's thread.
extension Exchange {
    /// What the loop must do about an exchange.
    enum Outcome {
        case park
        case answer(Making)
        case cut
    }

    /// Takes the outcome.
    ///
    /// An exchange that is still open is parked from here on, so its completion wakes the loop.
    func takeOutcome() -> Outcome {
        state.withLock { state in
            switch state {
            case .open(var waiting):
                waiting.isParked = true
                state = .open(waiting)
                return .park
            case .resolved(let make):
                state = .answered
                return .answer(make)
            case .abandoned, .answered:
                return .cut
            }
        }
    }

    /// Whether abandonment must be reported.
    var isWatched: Bool { waiting?.abandonment != nil }

    /// Limits the deadline of an exchange, if it has one, to `time`: its client sends nothing more.
    ///
    /// - Returns: whether it has a deadline.
    func hurry(by time: UInt64) -> Bool {
        guard let waiting, let expiry = waiting.expiry else { return false }
        if let leaving = expiry.leaving {
            state.withLock { state in
                guard case .open(var waiting) = state else { return }
                waiting.expiry?.ending = .answer(leaving)
                state = .open(waiting)
            }
        }
        if expiry.deadline > time { set(expiry.timer, at: time, in: waiting.loop.timers) }
        return true
    }

    /// Completes the exchange with the answer for its deadline, unless the deadline has been replaced.
    private func expire(by timer: Timer) {
        guard let expiry = waiting?.expiry, expiry.timer === timer else { return }
        switch expiry.ending {
        case .answer(let make): complete(make)
        case .ask(let ask): ask()
        }
    }

    /// Marks the exchange as abandoned: the client has left.
    func abandon() {
        settle(.abandoned)?.abandonment?()
    }
}

/// The services that an exchange needs of its loop.
protocol ExchangeLoop: AnyObject, Sendable {
    /// Passes a message to the loop's thread and wakes it. Any thread may call it.
    func post(_ message: EventLoop.Message)
    /// The timers for the deadlines of its exchanges.
    var timers: Timers { get }
}
