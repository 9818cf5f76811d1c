// A weight decay in its two forms: a number or a class schedule. Read by `PlanBuilder` for the model and each group.

/// A weight decay: fixed, or a function of the step.
///
/// Source: seed, `weight_decay` (int, float); MindSpore also takes any Cell of the step.
public enum WeightDecay: Sendable {
    /// Constant.
    case constant(Float)
    /// Computed from the step, like a learning rate.
    case schedule(any LearningRateSchedule)

    /// The value at a step, not multiplied by the loss scale.
    public func value(at step: Int) -> Float {
        switch self {
        case .constant(let value): return value
        case .schedule(let schedule): return schedule.finiteValue(at: step)
        }
    }

    /// Whether it can be nonzero: a positive number, or any schedule.
    public var isActive: Bool {
        switch self {
        case .constant(let value): return value > 0
        case .schedule: return true
        }
    }

    /// Reads a number >= 0 or a class schedule.
    ///
    /// - Throws: TypeError for anything else, including functions and arrays; ValueError for a negative number.
    init(_ setting: SettingValue, pointer: String, catalogue: Catalogue, traits: RuleTraits) throws(OptimizerError) {
        // An explicit 0 changes nothing; definitions from other systems often contain it.
        guard traits.takesWeightDecay || setting.numberValue == 0 else {
            throw .invalid(pointer, .typeError, "\(traits.name) has no weight decay; leave `weight_decay` out.")
        }
        if setting.numberValue != nil {
            self = .constant(Float(try SettingReader.number(setting, .nonNegative, at: pointer, of: "`weight_decay`")))
            return
        }
        let words = traits.takesScheduledDecay ? "a number >= 0 or a class schedule" : "a number >= 0"
        guard traits.takesScheduledDecay, let name = setting["schedule"]?.stringValue, name.folded != "sequence" else {
            throw .wrongKind(pointer, "`weight_decay`", words, setting)
        }
        let schedule = try catalogue.makeSchedule(setting, name: name, pointer: pointer)
        guard schedule.length == nil else {
            throw .invalid(
                pointer, .typeError, "`weight_decay` must be a number or a class schedule, not the function \(name).",
                expected: words, got: "a function")
        }
        self = .schedule(schedule)
    }
}
