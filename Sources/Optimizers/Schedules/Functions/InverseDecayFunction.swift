// The function inverse_decay_lr; the class of the same name is InverseDecayLR.

/// An array of `total_step` rates that decay like 1 / epoch, computed entry by entry.
///
///     value(i) = learning_rate / (1 + decay_rate * E / decay_epoch),   E = floor(i / step_per_epoch),  quotient floored if is_stair
///
/// Source: mindspore.nn.inverse_decay_lr.
struct InverseDecayFunction: LearningRateSchedule {
    static let name = "inverse_decay_lr"
    let rate, decayRate: Double
    let clock: EpochClock
    let isStair: Bool

    init(_ settings: Settings) throws(OptimizerError) {
        rate = try settings.number("learning_rate", .positive)
        decayRate = try settings.number("decay_rate", .positive)
        clock = try EpochClock(settings)
        isStair = try settings.boolean("is_stair", default: false)
    }

    var length: Int? { clock.totalSteps }

    func value(at step: Int) -> Float { Float(rate / (1 + decayRate * clock.progress(step, isStair: isStair))) }
}
