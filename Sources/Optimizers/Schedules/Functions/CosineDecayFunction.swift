// The function cosine_decay_lr; the class of the same name is CosineDecayLR.

/// An array of `total_step` rates along half a cosine over `decay_epoch` epochs, computed entry by entry.
///
///     value(i) = min_lr + (max_lr - min_lr) / 2 * (1 + cos(pi * min(E, decay_epoch) / decay_epoch)),   E = floor(i / step_per_epoch)
///
/// Source: mindspore.nn.cosine_decay_lr.
struct CosineDecayFunction: LearningRateSchedule {
    static let name = "cosine_decay_lr"
    let low, high: Double
    let clock: EpochClock

    init(_ settings: Settings) throws(OptimizerError) {
        (low, high) = try CosineDecayLR.limits(settings)
        clock = try EpochClock(settings)
    }

    var length: Int? { clock.totalSteps }

    func value(at step: Int) -> Float {
        let progress = min(clock.progress(step, isStair: false), 1)
        return Float(CosineDecayLR.value(low: low, high: high, progress: progress))
    }
}
