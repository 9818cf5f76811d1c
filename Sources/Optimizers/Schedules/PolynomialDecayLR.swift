// PolynomialDecayLR; the function of the same name is PolynomialDecayFunction.

import Glibc
import Names

/// A polynomial from `learning_rate` to `end_learning_rate`.
///
///     value(s) = (learning_rate - end) * (1 - q)^power + end,   q = min(s, decay_steps) / decay_steps
///     update_decay_steps:  D = decay_steps * max(ceil(s / decay_steps), 1),  q = s / D
///
/// The end may lie above the start. Source: mindspore.nn.PolynomialDecayLR.
struct PolynomialDecayLR: LearningRateSchedule {
    static let name = "PolynomialDecayLR"
    let curve: Polynomial
    let decaySteps: Int

    init(_ settings: Settings) throws(OptimizerError) {
        curve = try Polynomial(settings, flag: "update_decay_steps")
        decaySteps = try settings.integer("decay_steps", atLeast: 1)
    }

    func value(at step: Int) -> Float { Float(curve.value(at: Double(step), of: Double(decaySteps))) }
}

/// The curve that the class and the function share.
struct Polynomial: Sendable {
    let start, end, power: Double
    let stretches: Bool

    /// Reads the arguments; `flag` names the one that stretches the curve.
    init(_ settings: Settings, flag: Name) throws(OptimizerError) {
        start = try settings.number("learning_rate", .positive)
        end = try settings.number("end_learning_rate", .nonNegative)
        power = try settings.number("power", .positive)
        stretches = try settings.boolean(flag, default: false)
    }

    /// The rate after `progress` of `span`, both in steps or both in epochs.
    func value(at progress: Double, of span: Double) -> Double {
        let q = stretches ? progress / (span * max((progress / span).rounded(.up), 1)) : min(progress, span) / span
        return (start - end) * pow(1 - q, power) + end
    }
}
