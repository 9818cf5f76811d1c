// A request of a simulated client, and its outcome. A client without an answer when the daemon dies sends the same
// request again, under the same key.

import Names
import Optimizers

@testable import ParameterServing

/// One request, however many times it is sent.
final class Request: @unchecked Sendable {
    enum Kind: Equatable {
        case create, delete, save
        case push(worker: Int, seq: Int)
        /// A push that was acknowledged, sent again.
        case repeatPush(step: Int, version: Int, worker: Int, seq: Int)
        case importCounts([Int])
        case restore(checkpoint: UInt64)
        case rollback(step: Int)
        /// A registration; with a lease of so many seconds.
        case register(worker: Int, ttl: Int?)
        case dismiss(worker: Int)
        /// A push of a registration that has ended.
        case latePush(worker: Int)
    }

    enum Answer {
        case created(ModelUID, isRepeated: Bool)
        case deleted
        case saved(CheckpointFacts)
        case receipt(Receipt)
        /// Whether the model's values have changed; false if there was no state to go back to.
        case changed(Bool)
        case registered(epoch: Int)
    }

    let kind: Kind
    let name: String
    /// The uid of the intended model; nil for a name that was free.
    let uid: ModelUID?
    let key: RequestKey
    /// The epoch of a push.
    var epoch = 0
    /// The number of the daemon's life in which it was last sent.
    var life = 0
    /// The model created for it, as far as a start has shown one.
    var adopted: ModelUID?
    /// Whether the clients' account includes it already, because a start has shown that it was applied.
    var isCounted = false
    /// Whether the clients' account may include it already, because a start has shown values that no client was sure
    /// of.
    var mayBeCounted = false

    init(_ kind: Kind, _ name: String, _ uid: ModelUID?, number: Int) {
        self.kind = kind
        self.name = name
        self.uid = uid
        key = RequestKey(text: Name("client-\(number)"), target: nil, time: 1_000_000_000)
    }

    var isRepeat: Bool { if case .repeatPush = kind { true } else { false } }

    /// Whether its outcome depends on something that a power cut may have lost.
    var isDoubtful: Bool {
        switch kind {
        case .repeatPush, .dismiss, .latePush: true
        case .create, .delete, .save, .push, .importCounts, .restore, .rollback, .register: false
        }
    }

    /// Whether it concerns one worker only, so that requests of other workers may be in progress.
    var isOfWorker: Bool { kind.subject != nil }

    /// Whether the name may belong to another model afterwards.
    var movesName: Bool { kind == .create || kind == .delete }
}

extension Request.Kind {
    /// The worker whose count it raises.
    var worker: Int? { if case .push(let worker, _) = self { worker } else { nil } }

    /// The worker that sends it, or that it is about.
    var subject: Int? {
        switch self {
        case .push(let worker, _), .repeatPush(_, _, let worker, _), .register(let worker, _), .dismiss(let worker),
            .latePush(let worker):
            worker
        case .create, .delete, .save, .importCounts, .restore, .rollback: nil
        }
    }
}

extension Result<Request.Answer, ServingError> {
    /// The answer in a few words, the same in every run of a seed.
    var told: String {
        switch self {
        case .failure(let error): "\(error)"
        case .success(.created(_, let isRepeated)): isRepeated ? "known" : "created"
        case .success(.deleted): "deleted"
        case .success(.saved(let facts)): "checkpoint \(facts.id) of version \(facts.version)"
        case .success(.receipt(let receipt)): "step \(receipt.step), version \(receipt.version)"
        case .success(.changed(let isDone)): isDone ? "done" : "not there"
        case .success(.registered(let epoch)): "epoch \(epoch)"
        }
    }
}
