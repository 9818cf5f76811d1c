// The open round as readers see it.

import Names

/// The open round of a model.
public struct RoundFacts: Sendable {
    /// A push that it holds.
    public struct Push: Sendable {
        /// The worker and its number; nil for a push without.
        public var key: PushKey?
        /// The number of examples it counts for.
        public var examples: Int?
    }

    /// The mode of the model.
    public var consistency: Consistency
    /// The step that the round makes.
    public var step: Int
    /// The pushes in the order of reduction.
    public var pushes: [Push]
    /// The number of pushes that it holds.
    public var received: Int { pushes.count }
    /// The number of pushes among them that have no worker.
    public var unnamed: Int { pushes.count { $0.key == nil } }
    /// The number of pushes with which it closes at once; nil if only a request closes it.
    public var needed: Int?
    /// The number of pushes with which it closes at its deadline; without one, at a request.
    public var quorum: Int
    /// The number of registered workers, if it waits for each of them.
    public var registered: Int?
    /// Workers that have not pushed, of those that registered or have pushed before; nil if the mode waits for no one.
    public var missing: [Name]?
    /// The pushes that were refused since the start of the daemon because their round had closed.
    public var late: Int
    /// The time until its deadline; nil if it has none.
    public var closesIn: Duration?
    /// The clocks of mode `ssp`; nil in other modes.
    public var clocks: ClockFacts?
}

/// The clocks of a model in mode `ssp`.
public struct ClockFacts: Sendable {
    /// The number of workers that are expected.
    public var workers: Int
    /// The number of pushes that a worker may be ahead of the slowest.
    public var slack: Int
    /// The slowest clock; 0 as long as fewer workers than expected have pushed or left.
    public var slowest: Int
    /// The clock of each worker, by name.
    public var clocks: [(worker: Name, clock: Int)]
}

extension ModelState {
    /// What an answer about a push in the open round says of it.
    func roundProgress(closesIn: Duration?) -> RoundProgress {
        let view = roundView
        return RoundProgress(received: view.received, needed: policy.needed(view), closesIn: closesIn)
    }

    /// The open round, with the time it has left.
    func roundFacts(closesIn: Duration?) -> RoundFacts {
        let view = roundView
        let pushes = round.pushes().map {
            RoundFacts.Push(key: $0.push.key, examples: $0.push.examples)
        }
        return RoundFacts(
            consistency: facts.consistency, step: view.step + 1, pushes: pushes, needed: policy.needed(view),
            quorum: policy.quorum(view), registered: facts.consistency.waitsForRegistered ? view.registered : nil,
            missing: missingWorkers, late: latePushes, closesIn: closesIn, clocks: clockFacts)
    }

    /// The workers that others wait for and that have not pushed, as far as they are known; nil if the mode waits for
    /// no one.
    private var missingWorkers: [Name]? {
        switch facts.consistency {
        case .async, .manual: return nil
        case .ssp: return ledger.active.filter { clocks.clocks[$0] == nil }
        case .sync(let policy):
            if policy.participants == .single { return nil }
            let expected = policy.participants == .registered ? ledger.registered : ledger.active
            return expected.filter { !round.workers.contains($0) }
        }
    }

    private var clockFacts: ClockFacts? {
        clockRule.map { rule in
            ClockFacts(
                workers: rule.workers, slack: rule.slack, slowest: clocks.slowest(of: rule.workers),
                clocks: clocks.clocks.sorted { $0.key < $1.key }.map { (worker: $0.key, clock: $0.value) })
        }
    }
}

extension Model {
    /// The time that the open round has left.
    ///
    /// Called by the executor.
    var roundTimeLeft: Duration? { roundClock?.left }

    /// What answers say of the open round now.
    ///
    /// Called by the executor.
    var progress: RoundProgress { state.roundProgress(closesIn: roundTimeLeft) }

    /// Submits a push; its request may wait until the round of the push is settled.
    ///
    /// - Parameters:
    ///   - change: the push.
    ///   - held: called with the receipt of a push that is held and the means to stop waiting; `reply` is called once
    ///     the round is settled, unless the request has stopped waiting. Not called if there is no place for a request
    ///     that waits.
    ///   - reply: called with the outcome.
    public func submit(
        push change: Change<Receipt>, held: (@Sendable (Answered<Receipt>, RoundWait) -> Void)?,
        reply: @escaping @Sendable (Result<Answered<Receipt>, ServingError>) -> Void
    ) {
        let key = change.command.requestKey
        var waiter = Waiter { result in reply(result.flatMap { Answered.result($0, under: key) }) }
        if let held {
            waiter.held = { [self] outcome, ticket in
                guard case .receipt(let receipt) = outcome.answer else { return }
                let answered = Answered(answer: receipt, isRepeated: outcome.isRepeated)
                guard let place = places.place() else {
                    leave(ticket)
                    return reply(.success(answered))
                }
                held(answered, RoundWait(model: self, ticket: ticket, place: place))
            }
        }
        submit(command: change.command, waiter)
    }

    /// Passes the open round to `body`, on an executor thread.
    public func round(_ body: @escaping @Sendable (RoundFacts) -> Void) {
        inspect { [self] state in body(state.roundFacts(closesIn: roundTimeLeft)) }
    }
}

/// A request that waits for a round.
public struct RoundWait: Sendable {
    let model: Model
    let ticket: Ticket
    let place: WaitingPlaces.Place

    /// Stops waiting, without an answer: the push stays in the round.
    public func end() { model.leave(ticket) }

    /// Stops waiting and has the request answered with the receipt that the push has now, unless its answer is on its
    /// way.
    public func expire() { model.leave(ticket, isAnswered: true) }
}
