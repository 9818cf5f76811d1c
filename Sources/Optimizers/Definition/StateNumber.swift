// The valid values of each number in an optimizer's state, in one table. NamedStateReading checks files against it, so
// that no value is imported that paramd, MindSpore or torch could not have produced.

import Names

/// The valid values of a number in a state; all are finite.
enum StateNumber {
    /// A count of updates.
    case count
    /// A flag.
    case flag
    /// A factor that only shrinks: a power of a decay, or a product of powers.
    case share
    /// A loss scale within float32.
    case scale
    /// A square, a root, or a sum of squares.
    case notNegative
    /// An integer of an untrained parameter.
    case integer(WireType)
    /// Any finite number.
    case any

    /// The numbers of the whole model, by name.
    private static let ofModel: [Name: StateNumber] = [
        "global_step": .count, "loss_scale": .scale, "loss_scale#steps": .count, "loss_scale#mark": .count,
        "loss_scale#overflows": .count, "beta1_power": .share, "beta2_power": .share,
    ]

    /// The numbers of a parameter, by the part of their name after `#`.
    private static let ofParameter: [String: StateNumber] = [
        "step": .count, "started": .flag,
    ]

    /// The slots and numbers of the rules in `Rules/`; those of custom rules may have any value.
    private static let ofRules: [String: StateNumber] = [
        "stat": .flag, "mu_product": .share, "mu": .share,
        "exp_avg_sq": .notNegative, "exp_avg_sq_row": .notNegative, "exp_avg_sq_col": .notNegative,
        "max_exp_avg_sq": .notNegative, "exp_inf": .notNegative, "square_avg": .notNegative, "acc_delta": .notNegative,
        "sum": .notNegative, "moment2": .notNegative, "vhat": .notNegative, "adam_v": .notNegative,
        "lamb_v": .notNegative, "mean_square": .notNegative, "step_size": .notNegative,
    ]

    /// The valid values for a number of the whole model; nil if the name is unknown.
    static func ofModel(_ name: Name) -> StateNumber? { ofModel[name] }

    /// The valid values of `PARAMETER#part`.
    static func ofParameter(_ part: String, _ plan: OptimizerPlan) -> StateNumber {
        ofParameter[part] ?? (plan.row.own == nil ? ofRules[part] : nil) ?? .any
    }

    /// Whether `value` is valid.
    func holds(_ value: Double) -> Bool {
        switch self {
        case .count: Int(exactly: value).map(OptimizerState.steps.contains) ?? false
        case .flag: value == 0 || value == 1
        case .share: (0...1).contains(value)
        case .scale: value > 0 && LossScaling.isUsable(value)
        case .notNegative: value >= 0 && value.isFinite
        case .integer(let type): type.holds(Float(value))
        case .any: value.isFinite
        }
    }

    /// The valid values in words.
    var words: String {
        switch self {
        case .count: "a whole number from 0 to 2^53 - 1"
        case .flag: "0 or 1"
        case .share: "a number from 0 to 1"
        case .scale: "a number above 0 that fits in float32, as does its reciprocal"
        case .notNegative: "0 or a finite number above it"
        case .integer(let type): "a number of the type \(type.rawValue)"
        case .any: "a finite number"
        }
    }

    /// Refuses invalid values in a tensor.
    func check(_ values: UnsafeBufferPointer<Float>, _ name: Name) throws(OptimizerError) {
        guard let stray = values.firstIndex(where: { !holds(Double($0)) }) else { return }
        try check(Double(values[stray]), name, at: stray)
    }

    /// Refuses an invalid value; `place` is its index in a tensor, for the message.
    func check(_ value: Double, _ name: Name, at place: Int? = nil) throws(OptimizerError) {
        guard !holds(value) else { return }
        let text = Int(exactly: value).map(String.init) ?? "\(value)"
        let found = place.map { "contains \(text) at index \($0)" } ?? "is \(text)"
        throw .invalid(
            "/\(name.pointerEscaped)", .valueError, "`\(name)` \(found); it must be \(words).", expected: words,
            got: text
        )
    }
}

extension NamedState {
    /// Whether a member of a file's metadata is a number of the state and not a note.
    public static func isScalar(_ key: Name) -> Bool { key.contains("#") || StateNumber.ofModel(key) != nil }
}
