// InverseDecayLR; the function of the same name is InverseDecayFunction.

/// Decays like 1 / step.
///
///     value(s) = learning_rate / (1 + decay_rate * p),   p = s / decay_steps,  floored if is_stair
///
/// Source: mindspore.nn.InverseDecayLR.
struct InverseDecayLR: LearningRateSchedule {
    static let name = "InverseDecayLR"
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
        return Float(rate / (1 + decayRate * (isStair ? progress.rounded(.down) : progress)))
    }
}
