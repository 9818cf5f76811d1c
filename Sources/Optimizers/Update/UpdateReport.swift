// What an update tells the server: the receipt's numbers.

/// What an update did.
public struct UpdateReport: Sendable, Equatable {
    /// Whether parameters, slots and step advanced; false after a skipped overflow.
    public var applied: Bool
    /// The rate used, per group; nil where a rule makes its own (AdaFactor's relative step).
    public var learningRates: [Float?]
    /// Euclidean norm of the gradients as given, unscaled, before weight decay.
    ///
    /// Sparse rows count as pushed.
    public var gradientNorm: Double
    /// |w' - w| / |w| over the parameters that were updated; nil where |w| is 0 or nothing was updated.
    public var updateRatio: Double?
    /// Whether the gradients had overflowed.
    public var overflow: Bool
    /// The scale that the next gradients must arrive with; 1 without loss scaling.
    public var nextLossScale: Double
    /// Whether all weights and slots are known to be so small that an update by small gradients cannot overflow.
    public var areModest = false
}
