// What a command answers, to its request and to each retry of it: never tensors, so that what is kept stays small.

/// The answer of a command, as it is kept under the key of its request.
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
}
