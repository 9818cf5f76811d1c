// The function polynomial_decay_lr; the class of the same name is PolynomialDecayLR.

/// An array of `total_step` rates along a polynomial of the epoch, computed entry by entry.
///
///     as PolynomialDecayLR, with E = floor(i / step_per_epoch) for the step and decay_epoch for decay_steps
///
/// Source: mindspore.nn.polynomial_decay_lr.
struct PolynomialDecayFunction: LearningRateSchedule {
    static let name = "polynomial_decay_lr"
    let curve: Polynomial
    let clock: EpochClock

    init(_ settings: Settings) throws(OptimizerError) {
        curve = try Polynomial(settings, flag: "update_decay_epoch")
        clock = try EpochClock(settings)
    }

    var length: Int? { clock.totalSteps }

    func value(at step: Int) -> Float {
        Float(curve.value(at: Double(clock.epoch(step)), of: Double(clock.decayEpochs)))
    }
}
