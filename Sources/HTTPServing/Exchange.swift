// One request that waits for its answer: the meeting point of the threads that compute and the loop that sends.
// Given to applications by `Transaction`; completed from anywhere; woken through the loop that owns the connection.

import Threading

/// One request waiting for its answer.
///
/// Safe to use from any thread; the first completion counts, later ones are ignored. Every exchange has to be completed
/// in the end. Once it is, it keeps nothing alive, however long the application holds on to it.
public final class Exchange: Sendable {
    /// Makes an answer, on the loop's thread, when it is about to be sent.
    public typealias Making = @Sendable () -> Response

    private let state: Locked<State>

    init(loop: any ExchangeLoop) {
        state = Locked(.open(Waiting(loop: loop)))
    }

    /// Answers the request.
    ///
    /// Called before the closure that was given the exchange returns, the answer is sent at once; later, the parked
    /// connection is woken. `make` runs on the loop's thread, or never if the client has left.
    public func complete(_ make: @escaping Making) {
        guard let waiting = settle(.resolved(make)), waiting.isParked else { return }
        waiting.loop.post(.settled(self))
    }

    /// Answers with `make` if the request is still unanswered after `delay`; a later call replaces this one.
    public func expire(after delay: Duration, _ make: @escaping Making) {
        guard let timers = waiting?.loop.timers else { return }
        let timer = Timer { [weak self] timer in self?.expire(by: timer) }
        let expiry = Expiry(deadline: timers.now + delay.nanoseconds, timer: timer, make: make)
        guard let before = adjust({ $0.expiry = expiry }) else { return }
        if let earlier = before.expiry { timers.cancel(earlier.timer) }
        set(timer, at: expiry.deadline, in: timers)
    }

    private func set(_ timer: Timer, at deadline: UInt64, in timers: Timers) {
        timers.set(timer, at: deadline)
        // Who settled it meanwhile has found nothing to cancel.
        if waiting == nil { timers.cancel(timer) }
    }

    /// Calls `body` if the client leaves while the request is parked; at once if it has left already.
    ///
    /// Only an exchange with such a closure is watched. One without it stays parked until it is completed, and its
    /// answer still reaches a client that has closed its sending side alone. Such a client cannot be told from one that
    /// has left: with a deadline too (`expire`) the exchange waits on for a short while, and is then answered as at its
    /// deadline; without one it counts as abandoned.
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

    /// What an open exchange holds.
    private struct Waiting {
        let loop: any ExchangeLoop
        var isParked = false
        var expiry: Expiry?
        var abandonment: (@Sendable () -> Void)?
    }

    /// The answer for a deadline, and when that is.
    private struct Expiry {
        let deadline: UInt64
        let timer: Timer
        let make: Making
    }

    /// What an open exchange holds; nil if it is open no more.
    private var waiting: Waiting? { state.withLock { if case .open(let waiting) = $0 { waiting } else { nil } } }

    /// Changes what an open exchange holds, and tells its loop if it is parked.
    ///
    /// - Returns: what it held; nil if it is open no more.
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

    /// Ends the openness of an exchange.
    ///
    /// - Returns: what it held, if it was open. Its closures are freed by the caller, outside the lock.
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

/// The loop's side. All of it is called on the loop's thread.
extension Exchange {
    /// What the loop has to do about an exchange.
    enum Outcome {
        case park
        case answer(Making)
        case cut
    }

    /// Takes the outcome; an exchange that is still open is parked from here on, so that its completion wakes the loop.
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

    /// Whether someone waits for an abandonment.
    var isWatched: Bool { waiting?.abandonment != nil }

    /// Has an exchange that has a deadline expire by `time` at the latest.
    ///
    /// - Returns: whether it has one.
    func hurry(by time: UInt64) -> Bool {
        guard let waiting, let expiry = waiting.expiry else { return false }
        if expiry.deadline > time { set(expiry.timer, at: time, in: waiting.loop.timers) }
        return true
    }

    /// Completes the exchange with the answer for its deadline, unless it has been given another one.
    private func expire(by timer: Timer) {
        if let expiry = waiting?.expiry, expiry.timer === timer { complete(expiry.make) }
    }

    /// The client has left: no one will read an answer.
    func abandon() {
        settle(.abandoned)?.abandonment?()
    }
}

/// What an exchange needs of its loop.
protocol ExchangeLoop: AnyObject, Sendable {
    /// Hands a message to the loop's thread and wakes it. Callable from any thread.
    func post(_ message: EventLoop.Message)
    /// Where deadlines of its exchanges are kept.
    var timers: Timers { get }
}
