// Queries about a model's workers. The table belongs to the executor, so an answer comes through a callback.

import Names

/// The model's information about a worker.
public struct WorkerFacts: Sendable, Equatable {
    /// Its current epoch; 0 for a worker that never registered.
    public var epoch: Int
    /// The highest number applied in this epoch.
    public var lastSeq: Int
    /// Whether it has a registration that has not ended.
    public var isRegistered = true
    /// The length of its lease; nil without one.
    public var ttl: Duration?
    /// The time until its lease runs out; nil without one, or after it has run out.
    public var expiresIn: Duration?
    /// The time since its last push, registration or heartbeat; nil if a log of the first releases does not say.
    public var age: Duration?
}

/// The result of a push.
public enum PushOutcome: Sendable {
    /// It was applied; its receipt.
    case applied(Receipt)
    /// Its update, or that of its round, was skipped, because the gradients overflowed; its receipt.
    case skipped(Receipt)
    /// It is logged and will be applied.
    case pending
    /// It waits in the open round; its receipt until then.
    case held(Receipt)
    /// Its round was dropped; its receipt.
    case dropped(Receipt)
    /// It never arrived, or its receipt has left the window.
    case unknown
}

extension PushOutcome {
    /// The outcome in a receipt.
    init(_ receipt: Receipt) {
        switch receipt.round?.state {
        case .held: self = .held(receipt)
        case .dropped: self = .dropped(receipt)
        case .closed, nil: self = receipt.applied ? .applied(receipt) : .skipped(receipt)
        }
    }
}

extension Model {
    /// Passes all workers that the model remembers to `body`, by name, on an executor thread.
    public func workers(_ body: @escaping @Sendable ([(name: Name, facts: WorkerFacts)]) -> Void) {
        inspect { [clock] state in
            let now = clock()
            body(
                state.ledger.workers.keys.sorted().compactMap { name in
                    state.facts(of: name, at: now).map { (name, $0) }
                })
        }
    }

    /// Passes the facts about a worker to `body`, on an executor thread; nil for a worker that is not remembered.
    public func worker(_ name: Name, _ body: @escaping @Sendable (WorkerFacts?) -> Void) {
        inspect { [clock] state in body(state.facts(of: name, at: clock())) }
    }

    /// Renews the lease of a worker; a registration without a lease does not change.
    ///
    /// `reply` is called once, on an executor thread. Nothing is logged: after a restart, each lease runs for its full
    /// time.
    ///
    /// - Parameters:
    ///   - worker: its name.
    ///   - epoch: its registration; nil for the current one.
    ///   - reply: gets the renewed facts, `fenced` for a registration that has ended, or `unknownWorker`.
    public func renewLease(
        of worker: Name, epoch: Int?, reply: @escaping @Sendable (Result<WorkerFacts, ServingError>) -> Void
    ) {
        adjust(about: worker) { [clock] state in
            reply(Result { () throws(ServingError) in try state.renewLease(of: worker, epoch: epoch, at: clock()) })
        }
    }

    /// Passes the result of a push to `body`, on an executor thread.
    ///
    /// - Parameters:
    ///   - seq: the push's number.
    ///   - worker: the worker that sent it.
    ///   - epoch: the worker's registration; nil for its current one.
    ///   - body: called once.
    public func outcome(
        ofPush seq: Int, worker: Name, epoch: Int?, _ body: @escaping @Sendable (PushOutcome) -> Void
    ) {
        inspect { [self] state in
            let epoch = epoch ?? state.ledger.epoch(of: worker)
            body(outcome(of: .sequence(worker: worker, epoch: epoch, seq: seq), in: state))
        }
    }

    private func outcome(of key: PushKey, in state: ModelState) -> PushOutcome {
        var receipt: Receipt
        switch try? state.ledger.find(key) {
        case .applied(let stored, _): receipt = stored
        case .pending: return .pending
        case .new, nil:
            // The round still has it after its worker has left, and after later pushes of that worker.
            guard let held = state.heldReceipt(of: key) else { return .unknown }
            receipt = held
        }
        receipt.durable = isDurable
        return PushOutcome(receipt.told(state.roundProgress(closesIn: roundTimeLeft)))
    }
}
