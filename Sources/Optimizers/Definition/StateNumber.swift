// What each number of an optimizer's state may be, in one table. NamedStateReading holds a file against it, so that no
// value comes in that no state of this server, MindSpore or torch could hold.

import Names

/// The values that a number of a state may have; all of them are finite.
enum StateNumber {
    /// How many updates there have been.
    case count
    /// Whether something has happened.
    case flag
    /// A factor that only shrinks: a power of a decay, a product of them.
    case share
    /// A factor of a loss, within float32.
    case scale
    /// A square, a root of one, or a sum of them.
    case notNegative
    /// An integer of a parameter that is not trained.
    case integer(WireType)
    /// Anything else.
    case any

    /// Numbers of the whole model, by name.
    private static let ofModel: [Name: StateNumber] = [
        "global_step": .count, "loss_scale": .scale, "loss_scale#steps": .count, "loss_scale#mark": .count,
        "loss_scale#overflows": .count, "beta1_power": .share, "beta2_power": .share,
    ]

    /// Numbers of a parameter, by the part of their name behind `#`.
    private static let ofParameter: [String: StateNumber] = [
        "step": .count, "started": .flag,
    ]

    /// Slots and numbers of the rules in `Rules/`; those of users' rules may be anything.
    private static let ofRules: [String: StateNumber] = [
        "stat": .flag, "mu_product": .share, "mu": .share,
        "exp_avg_sq": .notNegative, "exp_avg_sq_row": .notNegative, "exp_avg_sq_col": .notNegative,
        "max_exp_avg_sq": .notNegative, "exp_inf": .notNegative, "square_avg": .notNegative, "acc_delta": .notNegative,
        "sum": .notNegative, "moment2": .notNegative, "vhat": .notNegative, "adam_v": .notNegative,
        "lamb_v": .notNegative, "mean_square": .notNegative, "step_size": .notNegative,
    ]

    /// What a number of the whole model may be; nil for a name that is not one.
    static func ofModel(_ name: Name) -> StateNumber? { ofModel[name] }

    /// What `PARAMETER#part` may be.
    static func ofParameter(_ part: String, _ plan: OptimizerPlan) -> StateNumber {
        ofParameter[part] ?? (plan.row.own == nil ? ofRules[part] : nil) ?? .any
    }

    /// Whether `value` is one of them.
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

    /// The values in words.
    var words: String {
        switch self {
        case .count: "a whole number from 0 to 2^53 - 1"
        case .flag: "0 or 1"
        case .share: "a number from 0 to 1"
        case .scale: "a number above 0 that float32 holds, as well as 1 divided by it"
        case .notNegative: "0 or a finite number above it"
        case .integer(let type): "a number of the type \(type.rawValue)"
        case .any: "a finite number"
        }
    }

    /// Refuses values of a tensor of which one is none of them.
    func check(_ values: UnsafeBufferPointer<Float>, _ name: Name) throws(OptimizerError) {
        guard let stray = values.firstIndex(where: { !holds(Double($0)) }) else { return }
        try check(Double(values[stray]), name, at: stray)
    }

    /// Refuses another value; `place` is where in a tensor it is, for the message.
    func check(_ value: Double, _ name: Name, at place: Int? = nil) throws(OptimizerError) {
        guard !holds(value) else { return }
        let text = Int(exactly: value).map(String.init) ?? "\(value)"
        let found = place.map { "contains \(text) as its value \($0)" } ?? "is \(text)"
        throw .invalid(
            "/\(name.pointerEscaped)", .valueError, "`\(name)` \(found); it must be \(words).", expected: words,
            got: text
        )
    }
}

extension NamedState {
    /// Whether a member of a file's metadata is a number of the state, and not a note beside it.
    public static func isScalar(_ key: Name) -> Bool { key.contains("#") || StateNumber.ofModel(key) != nil }
}
