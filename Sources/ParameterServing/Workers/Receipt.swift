// The answer to a push. Receipts are kept per worker, also in snapshots, so that a retry after a lost answer or a crash
// gets the same one.

import Optimizers

/// The result of a push.
public struct Receipt: Sendable, Equatable {
    /// Whether the parameters changed; false for a skipped overflow.
    public var applied: Bool
    /// The model's step after this push.
    public var step: Int
    /// The model's version after this push.
    public var version: Int
    /// The learning rates used, by group in update order; nil if the rule computes its own.
    public var learningRates: [Float?]
    /// The budget's loan for them, shared by all receipts with the same list; nil for a short list.
    var ratesMemory = RatesMemory()
    /// The number of updates between the gradient's step and this one; nil if the push did not name its step.
    public var staleness: Int?
    /// Whether the gradient was divided by 1 + staleness.
    public var isDivided = false
    /// Whether the gradient was computed on a branch that a restore has abandoned.
    public var isFromLeftBranch = false
    /// The Euclidean norm of the gradient, unscaled, before clipping and decay; in a round that of the reduced
    /// gradient, unless each worker's is clipped on its own.
    public var gradientNorm: Double
    /// The norm after clipping; nil if the model does not clip, or the step was skipped.
    public var clippedGradientNorm: Double?
    /// The norm of the update divided by the norm of the parameters; nil if the latter is 0.
    public var updateRatio: Double?
    /// Whether the gradient overflowed under loss scaling and the step was skipped.
    public var overflow: Bool
    /// The loss scale for the next gradient, under loss scaling.
    public var nextLossScale: Double?
    /// The number of skipped sequence numbers before this one; 0 for none.
    public var gap: Int
    /// The hyperparameters of the push; nil if it had none.
    public var hyperparameters: Hyperparameters?
    /// The budget's loan for them, shared by consecutive receipts with equal ones.
    var broughtMemory = RatesMemory()
    /// The round of the push; nil if it was applied on its own.
    public var round: RoundReceipt?
    /// The number of waiting pulls that this push woke.
    ///
    /// Only known at that moment, so a replayed receipt has 0.
    public var woken = 0
    /// Whether the push was synced to disk before the answer.
    public var durable = false
    /// Whether this is the stored receipt of an earlier push with the same key.
    public var replayed = false

    /// What a stale gradient was divided by; nil if it was applied as it was.
    public var divisor: Int? { isDivided ? 1 + (staleness ?? 0) : nil }
}
