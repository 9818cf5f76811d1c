// One push of a round, as the reductions read it.

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
