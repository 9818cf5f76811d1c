// Loss scaling: gradients are multiplied by a factor that keeps small ones above zero in half precision. `LossScaling`
// is the setting in the definition; `LossScaler` is the current scale, read from the optimizer's state.

/// The rule of the loss scale, from the definition.
///
/// Source: mindspore.amp FixedLossScaleManager, DynamicLossScaleManager, StaticLossScaler, DynamicLossScaler.
public struct LossScaling: Sendable, Equatable {
    /// The available rules.
    public enum Rule: Sendable, Equatable {
        /// The scale never changes; an overflow skips the update, or (false) is not checked.
        case fixed(dropsOverflow: Bool)
        /// DynamicLossScaleManager: counts steps since the last overflow, never resets the count on growth.
        case manager(factor: Double, window: Int)
        /// amp.DynamicLossScaler: counts good steps in a row and stops growing before infinity.
        case scaler(factor: Double, window: Int)
    }

    /// The rule.
    public let rule: Rule
    /// The initial scale.
    public let initial: Double

    /// Whether both the scale and its reciprocal are finite in float32.
    static func isUsable(_ scale: Double) -> Bool { Float(scale).isFinite && Float(1 / scale).isFinite }

    /// Reads `{"type":"fixed",...}` or `{"type":"dynamic",...}`.
    ///
    /// The argument names distinguish MindSpore's classes: `loss_scale` and `init_loss_scale` belong to the managers,
    /// `scale_value` to the scalers of `amp`.
    ///
    /// - Throws: TypeError and ValueError as in those classes.
    init(_ setting: SettingValue, pointer: String) throws(OptimizerError) {
        guard case .object = setting else {
            throw .invalid(
                pointer, .typeError, "`loss_scaling` must be an object with `type`; got \(setting.kind).",
                expected: "{\"type\":\"fixed\"} or {\"type\":\"dynamic\"}", got: setting.kind)
        }
        let settings = SettingReader(setting, pointer: pointer, owner: "loss_scaling")
        switch try settings.choice("type", default: Kind.unspecified) {
        case .fixed: (rule, initial) = try Self.fixed(settings)
        case .dynamic: (rule, initial) = try Self.dynamic(settings)
        case .unspecified:
            throw settings.complaint(
                "type", .typeError, "`loss_scaling` needs `type`: \"fixed\" or \"dynamic\".", "fixed or dynamic")
        }
        try settings.finish(.keyError)
    }

    private enum Kind: String, CaseIterable {
        case fixed, dynamic
        case unspecified = ""
        static var allCases: [Kind] { [.fixed, .dynamic] }
    }

    private static func fixed(_ settings: SettingReader) throws(OptimizerError) -> (Rule, Double) {
        if settings.has("scale_value") {
            return (.fixed(dropsOverflow: true), try settings.number("scale_value", .atLeastOne))
        }
        let scale = try settings.number("loss_scale", default: 128, .atLeastOne)
        return (.fixed(dropsOverflow: try settings.boolean("drop_overflow_update", default: true)), scale)
    }

    private static func dynamic(_ settings: SettingReader) throws(OptimizerError) -> (Rule, Double) {
        if settings.has("scale_value") {
            let initial = try settings.number("scale_value", .atLeastOne)
            let factor = try settings.integer("scale_factor", atLeast: 1)
            let window = try settings.wholeNumber("scale_window", atLeast: 1)
            return (.scaler(factor: Double(factor), window: window), initial)
        }
        let initial = try settings.number("init_loss_scale", default: 16_777_216, .atLeastOne)
        let factor = try settings.number("scale_factor", default: 2, .positive)
        let window = try settings.wholeNumber("scale_window", default: 2000, atLeast: 1)
        return (.manager(factor: factor, window: window), initial)
    }

    /// Whether an overflow skips the update.
    var dropsOverflow: Bool { rule != .fixed(dropsOverflow: false) }

    /// Records in `scaler` whether a step overflowed.
    ///
    /// - Throws: `.lossScaleStuck` after more than a thousand overflows in a row (manager).
    func advance(_ scaler: inout LossScaler, overflow: Bool) throws(OptimizerError) {
        switch rule {
        case .fixed: break
        case .manager(let factor, let window):
            if overflow {
                guard scaler.overflows < 1000 else { throw .lossScaleStuck(overflows: scaler.overflows + 1) }
                scaler.move(to: max(scaler.scale / factor, 1))
                (scaler.mark, scaler.overflows) = (scaler.current, scaler.overflows + 1)
            } else {
                scaler.overflows = 0
                if (scaler.current - scaler.mark) % window == 0 { scaler.move(to: scaler.scale * factor) }
            }
            scaler.current += 1
        case .scaler(let factor, let window):
            if overflow {
                scaler.move(to: max(1, scaler.scale / factor))
                scaler.mark = 0
            } else {
                if scaler.mark == window - 1 { scaler.move(to: scaler.scale * factor) }
                scaler.mark = (scaler.mark + 1) % window
            }
        }
    }
}

/// The current loss scale, and the counts of its rule.
struct LossScaler: Equatable {
    /// The factor that the next gradients must be multiplied by.
    var scale: Double
    /// Steps counted as MindSpore's manager does: from 1.
    var current = 1
    /// The step of the last overflow (manager), or consecutive good steps (scaler).
    var mark = 0
    /// Consecutive overflows.
    var overflows = 0

    init(startOf scaling: LossScaling) { scale = scaling.initial }

    /// Reads the checked numbers of a state; nil if there are none.
    init?(_ numbers: [Double]) {
        guard numbers.count == 4 else { return nil }
        scale = numbers[0]
        (current, mark, overflows) = (Int(numbers[1]), Int(numbers[2]), Int(numbers[3]))
    }

    /// The numbers as in a state.
    var numbers: [Double] { [scale, Double(current), Double(mark), Double(overflows)] }

    /// Takes the next scale, unless it exceeds float32: clients multiply a loss by it, the server divides by it.
    ///
    /// DynamicLossScaler also stops there; DynamicLossScaleManager continues to infinity, where every gradient is lost.
    mutating func move(to next: Double) {
        if LossScaling.isUsable(next) { scale = next }
    }
}
