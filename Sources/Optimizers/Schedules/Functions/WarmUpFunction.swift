// The function warmup_lr; the class of the same name is WarmUpLR.

/// An array of `total_step` rates that climb from 0 over `warmup_epoch` epochs, computed entry by entry.
///
///     value(i) = learning_rate * min(E, warmup_epoch) / warmup_epoch,   E = floor(i / step_per_epoch)
///
/// Source: mindspore.nn.warmup_lr.
struct WarmUpFunction: LearningRateSchedule {
    static let name = "warmup_lr"
    let rate: Double
    let clock: EpochClock

    init(_ settings: SettingReader) throws(OptimizerError) {
        rate = try settings.number("learning_rate", .nonNegative)
        clock = try EpochClock(settings, span: "warmup_epoch")
    }

    var length: Int? { clock.totalSteps }

    func value(at step: Int) -> Float { Float(rate * min(Double(clock.epoch(step)) / Double(clock.decayEpochs), 1)) }
}
