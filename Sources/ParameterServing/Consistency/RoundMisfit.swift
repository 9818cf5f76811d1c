// An open round and settings that do not go together: with them, the update of the round would be refused, or wrong.

import Optimizers

/// Why settings do not fit the open round.
public struct RoundMisfit: Sendable, Equatable {
    /// The kind of a request.
    public enum Request: Sendable, Equatable {
        /// A change of the settings, which would cause it.
        case change
        /// A closing of the round, which an earlier change prevents.
        case closing
    }

    /// What does not fit.
    public enum Cause: Sendable, Equatable {
        /// The settings refuse the update.
        case refusal(OptimizerError)
        /// Its gradients were multiplied by one loss scale, and would be divided by another.
        case lossScale(Double, changed: Double)
    }

    /// The request that is refused.
    public let request: Request
    /// The step that the round makes.
    public let step: Int
    /// The number of pushes in the round.
    public let received: Int
    /// The hyperparameters of its pushes.
    public let brought: Hyperparameters?
    /// Whether the round ends at a deadline; otherwise only a request ends it.
    public let hasDeadline: Bool
    /// What does not fit.
    public let cause: Cause
}
