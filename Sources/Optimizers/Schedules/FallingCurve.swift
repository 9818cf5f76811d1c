// The arguments of exponential, natural exponential and inverse decay: a rate, its decay, and whether it falls in
// stairs.

import Names

/// The arguments of the decays without an end.
struct FallingCurve: Sendable {
    let rate, decayRate: Double
    let isStair: Bool

    init(_ settings: SettingReader) throws(OptimizerError) {
        rate = try settings.number("learning_rate", .positive)
        decayRate = try settings.number("decay_rate", .positive)
        isStair = try settings.boolean("is_stair", default: false)
    }

    /// count / span, floored if `isStair`.
    func progress(_ count: Int, of span: Int) -> Double {
        let progress = Double(count) / Double(span)
        return isStair ? progress.rounded(.down) : progress
    }
}
