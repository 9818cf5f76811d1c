// Why one more checkpoint is not saved, with what makes room for it; a case of ServingError carries it to the answer.

/// A limit of checkpoints that has been reached.
public struct TooManyCheckpoints: Sendable, Equatable {
    /// The model that was to be saved.
    public let model: String
    /// The oldest checkpoint that it has; nil for none.
    public let oldest: UInt64?
    /// The limit.
    public let limit: Int
    /// Whether it is that of all models together.
    public let isOfAll: Bool
}
