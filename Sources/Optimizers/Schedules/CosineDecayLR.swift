// CosineDecayLR; the function of the same name is CosineDecayFunction.

import Glibc

/// Half a cosine from `max_lr` down to `min_lr`, which then goes on.
///
///     value(s) = min_lr + (max_lr - min_lr) / 2 * (1 + cos(pi * min(s, decay_steps) / decay_steps))
///
/// Source: mindspore.nn.CosineDecayLR.
struct CosineDecayLR: LearningRateSchedule {
    static let name = "CosineDecayLR"
    let low, high: Double
    let decaySteps: Int

    init(_ settings: Settings) throws(OptimizerError) {
        (low, high) = try Self.limits(settings)
        decaySteps = try settings.integer("decay_steps", atLeast: 1)
    }

    /// `min_lr` and `max_lr`, of which the first must be smaller.
    static func limits(_ settings: Settings) throws(OptimizerError) -> (Double, Double) {
        let low = try settings.number("min_lr", .nonNegative)
        let high = try settings.number("max_lr", .positive)
        guard low < high else {
            throw settings.complaint(
                "min_lr", .valueError, "`min_lr` must be below `max_lr`.", "a number below \(high)", "\(low)")
        }
        return (low, high)
    }

    func value(at step: Int) -> Float {
        Float(Self.value(low: low, high: high, progress: Double(min(step, decaySteps)) / Double(decaySteps)))
    }

    /// The cosine at a progress from 0 to 1.
    static func value(low: Double, high: Double, progress: Double) -> Double {
        low + (high - low) / 2 * (1 + cos(Double.pi * progress))
    }
}
