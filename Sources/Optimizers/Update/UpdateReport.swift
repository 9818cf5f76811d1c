// The result of an update, for receipts.

/// The result of an update.
public struct UpdateReport: Sendable, Equatable {
    /// Whether parameters, slots and step advanced; false after a skipped overflow.
    public var applied: Bool
    /// The rate used, per group; nil if a rule computes its own (AdaFactor's relative step).
    public var learningRates: [Float?]
    /// The Euclidean norm of the gradients as received, unscaled, before clipping and weight decay.
    ///
    /// Sparse rows count as pushed; where the definition clips, entries of one row are added first.
    public var gradientNorm: Double
    /// The norm of the gradients after clipping; nil if the definition does not clip, or nothing was updated.
    public var clippedGradientNorm: Double?
    /// |w' - w| / |w| over the updated parameters; nil if |w| is 0 or nothing was updated.
    public var updateRatio: Double?
    /// Whether the gradients overflowed.
    public var overflow: Bool
    /// The factor that the next gradients must be multiplied by; 1 without loss scaling.
    public var nextLossScale: Double
    /// Whether all weights and slots are so small that an update with small gradients cannot overflow.
    public var areModest = false
}
