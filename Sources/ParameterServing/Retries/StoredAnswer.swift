// The answer of a command, for its request and each retry: never tensors, so that stored answers stay small.

/// The answer of a command, as stored under the key of its request.
public enum StoredAnswer: Sendable, Equatable {
    /// A push; its receipt.
    case receipt(Receipt)
    /// A change of the model that made or found this version.
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
}
