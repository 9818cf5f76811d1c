// A custom schedule.

import Optimizers

/// learning_rate / 2^step.
struct HalvingLR: LearningRateSchedule {
    static let name = "HalvingLR"
    let rate: Double

    init(_ settings: SettingReader) throws(OptimizerError) {
        rate = try settings.number("learning_rate")
    }

    func value(at step: Int) -> Float {
        Float((0..<min(step, 1100)).reduce(rate) { rate, _ in rate / 2 })
    }
}
