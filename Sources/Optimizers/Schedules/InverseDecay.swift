// inverse_decay_lr and InverseDecayLR; `DecaySchedule` counts epochs for the one and steps for the other.

import Names

/// Decays like 1 / step, or like 1 / epoch.
///
///     value(s) = learning_rate / (1 + decay_rate * p),   p = s / decay_steps,  floored if is_stair
///
/// Source: mindspore.nn.InverseDecayLR, mindspore.nn.inverse_decay_lr.
struct InverseDecay: DecayCurve {
    static let names = (class: "InverseDecayLR", function: "inverse_decay_lr")
    private let curve: FallingCurve

    init(_ settings: SettingReader, span: Name) throws(OptimizerError) { curve = try FallingCurve(settings) }

    func value(at count: Int, of span: Int) -> Double {
        curve.rate / (1 + curve.decayRate * curve.progress(count, of: span))
    }
}
