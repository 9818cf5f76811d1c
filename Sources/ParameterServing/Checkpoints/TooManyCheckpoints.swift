// Why another checkpoint is refused, and what would make room; a case of ServingError carries it to the answer.

/// A limit of checkpoints that has been reached.
public struct TooManyCheckpoints: Sendable, Equatable {
    /// The model to be saved.
    public let model: String
    /// Its oldest checkpoint; nil if it has none.
    public let oldest: UInt64?
    /// The limit.
    public let limit: Int
    /// Whether it is the limit of all models together.
    public let isOfAll: Bool
}
