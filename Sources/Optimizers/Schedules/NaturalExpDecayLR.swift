// NaturalExpDecayLR; the function of the same name is NaturalExpDecayFunction.

import Glibc

/// Decays by a power of e.
///
///     value(s) = learning_rate * e^(-decay_rate * p),   p = s, or floor(s / decay_steps) * decay_steps if is_stair
///
/// As in MindSpore's code, `decay_steps` has no effect without `is_stair`.
/// Source: mindspore.nn.NaturalExpDecayLR.
struct NaturalExpDecayLR: LearningRateSchedule {
    static let name = "NaturalExpDecayLR"
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
        let progress = Double(isStair ? step / decaySteps * decaySteps : step)
        return Float(rate * exp(-decayRate * progress))
    }
}
