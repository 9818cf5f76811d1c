// What other threads ask of a model: each request is a message, and its answer comes through a callback.

extension Model {
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

    /// Stops waiting for a round.
    func leave(_ ticket: Ticket) { post(.leave(ticket)) }

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
    func adjust(_ body: @escaping @Sendable (inout ModelState) -> Void) {
        post(.adjust(body))
    }
}
