// Queries about a model's workers. The table belongs to the executor, so an answer comes through a callback.

import Names

/// The model's information about a worker.
public struct WorkerFacts: Sendable {
    /// Its current epoch; 0 for a worker that never registered.
    public var epoch: Int
    /// The highest number applied in this epoch.
    public var lastSeq: Int

    /// Makes facts from their parts.
    public init(epoch: Int, lastSeq: Int) {
        self.epoch = epoch
        self.lastSeq = lastSeq
    }
}

/// The result of a push.
public enum PushOutcome: Sendable {
    /// It was applied; its receipt.
    case applied(Receipt)
    /// It is logged and will be applied.
    case pending
    /// It never arrived, or its receipt has left the window.
    case unknown
}

extension Model {
    /// Passes all workers that the model remembers to `body`, on an executor thread.
    public func workers(_ body: @escaping @Sendable ([Name: WorkerFacts]) -> Void) {
        inspect { state in
            body(state.ledger.workers.mapValues { WorkerFacts(epoch: $0.epoch, lastSeq: $0.lastSeq) })
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
