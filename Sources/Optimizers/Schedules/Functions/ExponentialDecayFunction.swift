// The function exponential_decay_lr; the class of the same name is ExponentialDecayLR.

import Glibc

/// An array of `total_step` rates that decay by epochs, computed entry by entry.
///
///     value(i) = learning_rate * decay_rate^(E / decay_epoch),   E = floor(i / step_per_epoch),  exponent floored if is_stair
///
/// Source: mindspore.nn.exponential_decay_lr.
struct ExponentialDecayFunction: LearningRateSchedule {
    static let name = "exponential_decay_lr"
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

    func value(at step: Int) -> Float { Float(rate * pow(decayRate, clock.progress(step, isStair: isStair))) }
}
