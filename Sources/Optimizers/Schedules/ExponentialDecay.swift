// exponential_decay_lr and ExponentialDecayLR; `DecaySchedule` counts epochs for the one and steps for the other.

import Glibc
import Names

/// Multiplies the rate by `decay_rate` every `decay_steps` steps, or every `decay_epoch` epochs.
///
///     value(s) = learning_rate * decay_rate^p,   p = s / decay_steps,  floored if is_stair
///
/// Source: mindspore.nn.ExponentialDecayLR, mindspore.nn.exponential_decay_lr.
struct ExponentialDecay: DecayCurve {
    static let names = (class: "ExponentialDecayLR", function: "exponential_decay_lr")
    private let curve: FallingCurve

    init(_ settings: SettingReader, span: Name) throws(OptimizerError) { curve = try FallingCurve(settings) }

    func value(at count: Int, of span: Int) -> Double {
        curve.rate * pow(curve.decayRate, curve.progress(count, of: span))
    }
}
