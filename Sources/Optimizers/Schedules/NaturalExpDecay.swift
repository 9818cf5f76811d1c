// natural_exp_decay_lr and NaturalExpDecayLR; `DecaySchedule` counts epochs for the one and steps for the other.

import Glibc
import Names

/// Decays by a power of e.
///
///     value(s) = learning_rate * e^(-decay_rate * p),   p = s, or floor(s / decay_steps) * decay_steps if is_stair
///
/// As in MindSpore's code, `decay_steps` has no effect without `is_stair`.
/// Source: mindspore.nn.NaturalExpDecayLR, mindspore.nn.natural_exp_decay_lr.
struct NaturalExpDecay: DecayCurve {
    static let names = (class: "NaturalExpDecayLR", function: "natural_exp_decay_lr")
    private let curve: FallingCurve

    init(_ settings: SettingReader, span: Name) throws(OptimizerError) { curve = try FallingCurve(settings) }

    func value(at count: Int, of span: Int) -> Double {
        curve.rate * exp(-curve.decayRate * Double(curve.isStair ? count / span * span : count))
    }
}
