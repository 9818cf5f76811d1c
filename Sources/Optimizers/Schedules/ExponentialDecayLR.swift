// ExponentialDecayLR; the function of the same name is ExponentialDecayFunction.

import Glibc

/// Multiplies the rate by `decay_rate` every `decay_steps` steps.
///
///     value(s) = learning_rate * decay_rate^p,   p = s / decay_steps,  floored if is_stair
///
/// Source: mindspore.nn.ExponentialDecayLR.
struct ExponentialDecayLR: LearningRateSchedule {
    static let name = "ExponentialDecayLR"
    let rate, decayRate: Double
    let decaySteps: Int
    let isStair: Bool

    init(_ settings: Settings) throws(OptimizerError) {
        rate = try settings.number("learning_rate", .positive)
        decayRate = try settings.number("decay_rate", .positive)
        decaySteps = try settings.integer("decay_steps", atLeast: 1)
        isStair = try settings.boolean("is_stair", default: false)
    }

    func value(at step: Int) -> Float {
        let progress = Double(step) / Double(decaySteps)
        return Float(rate * pow(decayRate, isStair ? progress.rounded(.down) : progress))
    }
}
