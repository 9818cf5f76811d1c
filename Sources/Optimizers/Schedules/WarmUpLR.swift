// WarmUpLR; the function of the same name is WarmUpFunction.

/// A straight line from 0 to `learning_rate`, which is then held.
///
/// The first update has rate 0.
///
///     value(s) = learning_rate * min(s, warmup_steps) / warmup_steps
///
/// Source: mindspore.nn.WarmUpLR.
struct WarmUpLR: LearningRateSchedule {
    static let name = "WarmUpLR"
    let rate: Double
    let warmupSteps: Int

    init(_ settings: SettingReader) throws(OptimizerError) {
        rate = try settings.number("learning_rate", .nonNegative)
        warmupSteps = try settings.integer("warmup_steps", atLeast: 1)
    }

    func value(at step: Int) -> Float { Float(rate * Double(min(step, warmupSteps)) / Double(warmupSteps)) }
}
