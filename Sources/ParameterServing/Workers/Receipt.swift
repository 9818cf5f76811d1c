// What a worker gets back for a push. Receipts are kept per worker, in the journal's snapshots too, so that a retry
// after a lost answer or a crash gets the very same one.

/// What became of a push.
public struct Receipt: Sendable, Equatable {
    /// Whether the parameters moved; false for an overflow that was skipped.
    public var applied: Bool
    /// The model's step after this push.
    public var step: Int
    /// The model's version after this push.
    public var version: Int
    /// The learning rates that were used, by group in update order; nil where the rule makes its own.
    public var learningRates: [Float?]
    /// What the budget lends for them, which all receipts with the same list share; nil for a short list.
    var ratesMemory = RatesMemory()
    /// Updates between the step that the gradient was computed at and this one.
    public var staleness: Int
    /// Whether the gradient was computed on a branch that a restore has left.
    public var isFromLeftBranch = false
    /// Euclidean norm of the gradient, unscaled, before decay.
    public var gradientNorm: Double
    /// Norm of the update over the norm of the parameters; nil where the latter is 0.
    public var updateRatio: Double?
    /// Whether the gradient overflowed under loss scaling and the step was skipped.
    public var overflow: Bool
    /// The loss scale to use for the next gradient, under loss scaling.
    public var nextLossScale: Double?
    /// How many sequence numbers were left out before this one; 0 for none.
    public var gap: Int
    /// How many waiting pulls this push woke.
    ///
    /// Describes the moment, so a replayed receipt says 0.
    public var woken = 0
    /// Whether the push was on disk, synced, before the answer.
    public var durable = false
    /// Whether this is the stored receipt of an earlier push with the same key.
    public var replayed = false
}
