// One push of a round, as the reductions read it.

/// The norms of a contribution's gradients, unscaled, before and after its own clip.
public struct ClippedNorms: Sendable, Equatable {
    /// The norm before.
    public let before: Double
    /// The norm after.
    public let after: Double
}

/// The gradients of a round, reduced to those of one update.
public struct ReducedGradients {
    /// The gradients, unscaled.
    public var gradients: Gradients
    /// By contribution; nil if the contributions were not clipped one by one.
    public let norms: [ClippedNorms]?
}

/// The gradients that one worker contributes to a round.
public struct Contribution: Sendable {
    /// The gradients, multiplied by the loss scale like those of any push; a reduction does not change them.
    public var gradients: Gradients
    /// The weight in a weighted mean: the number of examples, at least 1.
    public var weight: Double

    /// Makes a contribution.
    public init(_ gradients: Gradients, weight: Double = 1) {
        (self.gradients, self.weight) = (gradients, weight)
    }
}
