// polynomial_decay_lr and PolynomialDecayLR; `DecaySchedule` counts epochs for the one and steps for the other.

import Glibc
import Names

/// A polynomial from `learning_rate` to `end_learning_rate`.
///
///     value(s) = (learning_rate - end) * (1 - q)^power + end,   q = min(s, decay_steps) / decay_steps
///     update_decay_steps:  D = decay_steps * max(ceil(s / decay_steps), 1),  q = s / D
///
/// The end may be above the start. Source: mindspore.nn.PolynomialDecayLR, mindspore.nn.polynomial_decay_lr.
struct PolynomialDecay: DecayCurve {
    static let names = (class: "PolynomialDecayLR", function: "polynomial_decay_lr")
    private let start, end, power: Double
    private let stretches: Bool

    init(_ settings: SettingReader, span: Name) throws(OptimizerError) {
        start = try settings.number("learning_rate", .positive)
        end = try settings.number("end_learning_rate", .nonNegative)
        power = try settings.number("power", .positive)
        stretches = try settings.boolean(Name("update_\(span)"), default: false)
    }

    func value(at count: Int, of span: Int) -> Double {
        let (count, span) = (Double(count), Double(span))
        let q = stretches ? count / (span * max((count / span).rounded(.up), 1)) : min(count, span) / span
        return (start - end) * pow(1 - q, power) + end
    }
}
