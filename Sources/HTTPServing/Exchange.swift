// One request that waits for its answer: the meeting point of the threads that compute and the loop that sends.
// Given to applications by `Transaction`; completed from anywhere; woken through the loop that owns the connection.

/// One request waiting for its answer.
///
/// Safe to use from any thread; the first completion counts, later ones are ignored.
public final class Exchange: Sendable {
    /// Makes an answer, on the loop's thread, when it is about to be sent.
    public typealias Making = @Sendable () -> Response

    private let state = Locked(State())
    private let loop: any ExchangeLoop

    init(loop: any ExchangeLoop) {
        self.loop = loop
    }

    /// Answers the request.
    ///
    /// Called before the closure that was given the exchange returns, the answer is sent at
    /// once; later, the parked connection is woken. `make` runs on the loop's thread, or never if the client has left.
    public func complete(_ make: @escaping Making) {
        if settle(.resolved(make))?.isParked == true { loop.post(.settled(self)) }
    }

    /// Answers with `make` if the request is still unanswered after `delay`.
    public func expire(after delay: Duration, _ make: @escaping Making) {
        let deadline = Clock.now + delay.nanoseconds
        let isParked = state.withLock { state in
            state.expiry = (deadline, make)
            return state.isParked
        }
        if isParked { loop.post(.changed(self)) }
    }

    /// Calls `body` if the client leaves while the request is parked; at once if it has left already.
    ///
    /// Only an exchange with such a closure is watched. One without it stays parked until it is completed, and its
    /// answer still reaches a client that has closed its sending side alone.
    public func onAbandon(_ body: @escaping @Sendable () -> Void) {
        let (isAbandoned, isParked) = state.withLock { state in
            if case .abandoned = state.outcome { return (true, false) }
            if case .open = state.outcome { state.abandonment = body }
            return (false, state.isParked)
        }
        if isAbandoned { body() } else if isParked { loop.post(.changed(self)) }
    }
}

/// The loop's side. All of it is called on the loop's thread.
extension Exchange {
    /// What became of an exchange.
    enum Outcome {
        case open
        case resolved(Making)
        case abandoned
    }

    /// The outcome so far; an open exchange is parked from here on, so that its completion wakes the loop.
    func outcomeOrPark() -> Outcome {
        state.withLock { state in
            if case .open = state.outcome { state.isParked = true }
            return state.outcome
        }
    }

    /// When the exchange expires, in nanoseconds of the monotonic clock, and whether somebody waits for an abandonment.
    var wishes: (deadline: UInt64?, isWatched: Bool) {
        state.withLock { ($0.expiry?.deadline, $0.abandonment != nil) }
    }

    /// Completes the exchange with the answer for its deadline.
    func expireNow() {
        guard let make = state.withLock({ $0.expiry?.make }) else { return }
        complete(make)
    }

    /// The client has left: nobody will read an answer.
    func abandon() {
        settle(.abandoned)?.abandonment?()
    }

    /// Records an outcome.
    ///
    /// - Returns: the state before, if this outcome came first. Its closures are freed by the caller, outside the lock.
    private func settle(_ outcome: Outcome) -> State? {
        state.withLock { state in
            guard case .open = state.outcome else { return nil }
            let before = state
            state = State(outcome: outcome)
            return before
        }
    }

    private struct State {
        var outcome = Outcome.open
        var isParked = false
        var expiry: (deadline: UInt64, make: Making)?
        var abandonment: (@Sendable () -> Void)?
    }
}

/// What an exchange needs of its loop.
protocol ExchangeLoop: AnyObject, Sendable {
    /// Hands a message to the loop's thread and wakes it. Callable from any thread.
    func post(_ message: EventLoop.Message)
}
