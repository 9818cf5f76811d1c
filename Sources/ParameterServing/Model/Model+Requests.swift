// What other threads ask of a model: each request is a message, and its answer comes through a callback.

import Names
import Optimizers

extension Model {
    /// The layout of the newest version; one request reads it once, because a growth changes it.
    public var layout: ArenaLayout { publication.current.facts.layout }

    /// The arenas of the newest version's layout.
    var pool: ArenaPool { publication.current.facts.pool }

    /// Submits a change; its request may have reserved its key.
    ///
    /// `reply` is called once, on an executor thread.
    public func submit<Answer>(
        _ change: Change<Answer>, reserved key: RequestKey? = nil,
        reply: @escaping @Sendable (Result<Answered<Answer>, ServingError>) -> Void
    ) {
        let requestKey = change.command.requestKey
        submit(command: change.command, reserved: key) { result in
            reply(result.flatMap { outcome in Answered.result(outcome, under: requestKey) })
        }
    }

    /// As above, for a command of any type.
    func submit(command: Command, reserved key: RequestKey? = nil, reply: @escaping Reply) {
        post(.submit(command, Waiter(reply: reply), reserved: key))
    }

    /// As above, for a request that may wait for a round.
    func submit(command: Command, _ waiter: Waiter) { post(.submit(command, waiter, reserved: nil)) }

    /// Stops waiting for a round; its request may have left, or expect its answer.
    func leave(_ ticket: Ticket, isAnswered: Bool = false) { post(.leave(ticket, isAnswered: isAnswered)) }

    /// Passes the stored answer of a request to `reply`, on an executor thread; nil if the request is new.
    ///
    /// Its key is then reserved until `submit` or `release`.
    func reserve(_ key: RequestKey, reply: @escaping Recalled) { post(.reserve(key, reply)) }

    /// Releases a key reserved with `reserve`, for a request that failed.
    func release(_ key: RequestKey?) {
        if let key { post(.release(key)) }
    }

    /// Runs `body` with the state between two commands.
    func inspect(_ body: @escaping @Sendable (ModelState) -> Void) {
        post(.inspect(body))
    }

    /// Lets `body` change what is not logged, such as a deadline, between two commands.
    ///
    /// - Parameter worker: a worker whose lease it judges: if the end of that lease is on its way to the log, `body` runs
    ///   once that has been logged or has failed.
    func adjust(about worker: Name? = nil, _ body: @escaping @Sendable (inout ModelState) -> Void) {
        post(.adjust(about: worker, body))
    }

    /// Answers all waiting and future requests with `reason`.
    func end(_ reason: ServingError) {
        // At once, so that followers of all models hear of this end before they hear of a model of the same name.
        endEvents(reason)
        post(.end(reason))
    }

    private func endEvents(_ reason: ServingError) {
        switch reason {
        case .unknownModel, .modelReplaced:
            let isReplaced = if case .modelReplaced = reason { true } else { false }
            events.add(.deleted(isReplaced: isReplaced), of: name, uid, time: clock().time, endingWith: reason)
        default: events.end(reason)
        }
    }
}
