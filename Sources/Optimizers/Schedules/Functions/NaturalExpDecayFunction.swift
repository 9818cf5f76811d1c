// The function natural_exp_decay_lr; the class of the same name is NaturalExpDecayLR.

import Glibc

/// An array of `total_step` rates that decay by a power of e per epoch, computed entry by entry.
///
///     value(i) = learning_rate * e^(-decay_rate * E),   E = floor(i / step_per_epoch),
///     is_stair: floor(E / decay_epoch) * decay_epoch in place of E
///
/// Source: mindspore.nn.natural_exp_decay_lr.
struct NaturalExpDecayFunction: LearningRateSchedule {
    static let name = "natural_exp_decay_lr"
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

    func value(at step: Int) -> Float {
        let epoch = clock.epoch(step)
        let decayed = isStair ? epoch / clock.decayEpochs * clock.decayEpochs : epoch
        return Float(rate * exp(-decayRate * Double(decayed)))
    }
}
