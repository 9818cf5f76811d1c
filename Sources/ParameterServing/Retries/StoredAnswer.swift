// What a retry is told: enough to give the first answer again, and never tensors, so that what is kept stays small.

/// The outcome of a request that came with a key.
public enum StoredAnswer: Sendable, Equatable {
    /// A push; its receipt.
    case receipt(Receipt)
    /// A change of the model that made, or found, this version.
    case changed(step: Int, version: Int)
    /// A worker's registration.
    case registered(epoch: Int, lastSeq: Int)
    /// A checkpoint was saved.
    case saved(CheckpointFacts)
    /// A checkpoint was deleted.
    case removed(CheckpointFacts)
    /// A model was created.
    case created(ModelUID, step: Int)
    /// A model was deleted.
    case deleted

    /// What there is to store of an outcome; nil for an answer that was stored before.
    init?(_ outcome: Outcome) {
        switch outcome {
        case .receipt(let receipt): self = .receipt(receipt)
        case .changed(let version): self = .changed(step: version.step, version: version.version)
        case .registered(let epoch, let lastSeq): self = .registered(epoch: epoch, lastSeq: lastSeq)
        case .noted(let answer): self = answer
        case .repeated: return nil
        }
    }

    /// What an outcome tells that is kept or was kept before; nil for one of the model itself.
    init?(told outcome: Outcome) {
        switch outcome {
        case .noted(let answer), .repeated(let answer): self = answer
        case .receipt, .changed, .registered: return nil
        }
    }

    /// The same, with a receipt that says that it is given again.
    func replayed(isDurable: Bool) -> StoredAnswer {
        guard case .receipt(var receipt) = self else { return self }
        receipt.replayed = true
        receipt.durable = isDurable
        return .receipt(receipt)
    }
}
