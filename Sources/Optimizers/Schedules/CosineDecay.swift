// cosine_decay_lr and CosineDecayLR; `DecaySchedule` counts epochs for the one and steps for the other.

import Glibc
import Names

/// Half a cosine from `max_lr` down to `min_lr`, which is then held.
///
///     value(s) = min_lr + (max_lr - min_lr) / 2 * (1 + cos(pi * min(s, decay_steps) / decay_steps))
///
/// Source: mindspore.nn.CosineDecayLR, mindspore.nn.cosine_decay_lr.
struct CosineDecay: DecayCurve {
    static let names = (class: "CosineDecayLR", function: "cosine_decay_lr")
    private let low, high: Double

    /// Reads `min_lr` and `max_lr`; the first must be smaller.
    init(_ settings: SettingReader, span: Name) throws(OptimizerError) {
        low = try settings.number("min_lr", .nonNegative)
        high = try settings.number("max_lr", .positive)
        guard low < high else {
            throw settings.complaint(
                "min_lr", .valueError, "`min_lr` must be below `max_lr`.", "a number below \(high)", "\(low)")
        }
    }

    func value(at count: Int, of span: Int) -> Double {
        low + (high - low) / 2 * (1 + cos(Double.pi * (Double(min(count, span)) / Double(span))))
    }
}
