// Asking a model about its workers. The table belongs to the executor, so an answer comes by a callback.

import Names

/// What a model knows of a worker.
public struct WorkerFacts: Sendable {
    /// The registration that counts; 0 for a worker that never registered.
    public var epoch: Int
    /// The highest number that was applied in this epoch.
    public var lastSeq: Int

    /// Makes facts of their parts.
    public init(epoch: Int, lastSeq: Int) {
        self.epoch = epoch
        self.lastSeq = lastSeq
    }
}

/// What became of a push.
public enum PushOutcome: Sendable {
    /// It was applied; its receipt.
    case applied(Receipt)
    /// It is logged and will be applied.
    case pending
    /// It never arrived, or its receipt has left the window.
    case unknown
}

extension Model {
    /// Gives every worker that the model remembers to `body`, on an executor thread.
    public func workers(_ body: @escaping @Sendable ([Name: WorkerFacts]) -> Void) {
        inspect { state in
            body(state.ledger.workers.mapValues { WorkerFacts(epoch: $0.epoch, lastSeq: $0.lastSeq) })
        }
    }

    /// Gives what became of a push to `body`, on an executor thread.
    ///
    /// - Parameters:
    ///   - seq: the push's number.
    ///   - worker: who pushed it.
    ///   - epoch: the worker's registration; nil for its current one.
    ///   - body: called once.
    public func outcome(
        ofPush seq: Int, worker: Name, epoch: Int?, _ body: @escaping @Sendable (PushOutcome) -> Void
    ) {
        inspect { [isDurable] state in
            let epoch = epoch ?? state.ledger.epoch(of: worker)
            do throws(ServingError) {
                switch try state.ledger.find(.sequence(worker: worker, epoch: epoch, seq: seq)) {
                case .applied(var receipt, _):
                    receipt.durable = isDurable
                    body(.applied(receipt))
                case .pending: body(.pending)
                case .new: body(.unknown)
                }
            } catch {
                body(.unknown)
            }
        }
    }
}
