// mindspore.nn.Adam with its options, and the two deprecated classes with the same dense rule, AdamOffload and
// LazyAdam. Loops: `adam`, `adam_amsgrad`, `adam_settled` in CKernels.

import CKernels

/// Adam.
///
///     m += (g - m)(1 - beta1);   v += (g g - v)(1 - beta2);   lt = lr sqrt(1 - beta2^t) / (1 - beta1^t)
///     w -= lt m / (sqrt(v) + eps)              eps outside of the root, on the uncorrected v
///     use_nesterov:  beta1 m + (1 - beta1) g in place of m
///     use_amsgrad:   vhat = max(vhat, v), sqrt(vhat) in place of sqrt(v); use_nesterov is then ignored
///
/// `use_lazy` and `use_offload` give the same numbers for dense gradients; lazy updates only the rows in a sparse
/// gradient.
/// - Throws: KeyError for an unknown argument; ValueError for betas outside (0, 1), eps <= 0, and more than one of
///   lazy, offload and amsgrad.
/// - Source: mindspore.nn.Adam. Slots `moment1`, `moment2`, `vhat`.
class Adam: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("Adam", learningRate: 1e-3)
        traits.unknownKeyException = .keyError
        return traits
    }

    /// Offloaded updates skip centralization in MindSpore.
    override class func centralizes(_ settings: SettingReader) -> Bool { settings.raw("use_offload") != .boolean(true) }

    private let arguments: AdamArguments
    private let nesterov, amsgrad, lazy, offload: Bool

    required convenience init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        let flags = Flags(
            amsgrad: try settings.boolean("use_amsgrad", default: false),
            lazy: try settings.boolean("use_lazy", default: false),
            offload: try settings.boolean("use_offload", default: false))
        try self.init(plan, flags: flags)
    }

    /// The options that exclude each other.
    struct Flags {
        var amsgrad = false
        var lazy = false
        var offload = false
    }

    init(_ plan: OptimizerPlan, flags: Flags) throws(OptimizerError) {
        let settings = plan.hyperparameters
        arguments = try AdamArguments(settings)
        nesterov = try settings.boolean("use_nesterov", default: false)
        try settings.ignore("use_locking")
        (amsgrad, lazy, offload) = (flags.amsgrad, flags.lazy, flags.offload)
        if [amsgrad, lazy, offload].filter({ $0 }).count > 1 {
            throw settings.complaint(
                lazy ? "use_lazy" : "use_offload", .valueError,
                "`use_amsgrad`, `use_lazy` and `use_offload` exclude each other; keep one of them.")
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] {
        let moments = [SlotDefinition("moment1"), SlotDefinition("moment2")]
        return amsgrad ? moments + [SlotDefinition("vhat")] : moments
    }

    override func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] {
        [("beta1_power", arguments.beta1Power(state.step)), ("beta2_power", arguments.beta2Power(state.step))]
    }

    override var kernel: pk_rule { amsgrad ? PK_RULE_ADAM_AMSGRAD : PK_RULE_ADAM }

    override var sparseWay: SparseWay {
        if amsgrad || offload { return .refused }
        return lazy ? .rowsFromOldSlots : .everyRow
    }

    override var modestRoots: [Int]? { arguments.areModest ? [1, 2] : nil }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = arguments.constants
        numbers.rate = arguments.correctedRate(moment.rate, moment.t)
        return numbers.with(PK_NESTEROV, nesterov && !amsgrad).with(PK_AMSGRAD, amsgrad)
    }
}

/// Adam on the host: Adam's dense rule, without centralization and without sparse gradients.
///
/// - Source: mindspore.nn.AdamOffload (deprecated).
final class AdamOffload: Adam {
    override class var traits: RuleTraits { RuleTraits("AdamOffload", learningRate: 1e-3) }

    override class func centralizes(_ settings: SettingReader) -> Bool { false }

    required convenience init(_ plan: OptimizerPlan) throws(OptimizerError) {
        try self.init(plan, flags: Flags(offload: true))
    }
}

/// Adam with lazy sparse gradients: only their rows change.
///
/// Dense gradients follow Adam's rule.
///
/// - Throws: TypeError for a scheduled weight decay.
/// - Source: mindspore.nn.LazyAdam (deprecated).
final class LazyAdam: Adam {
    override class var traits: RuleTraits {
        var traits = RuleTraits("LazyAdam", learningRate: 1e-3)
        traits.takesScheduledDecay = false
        return traits
    }

    override class func centralizes(_ settings: SettingReader) -> Bool { true }

    required convenience init(_ plan: OptimizerPlan) throws(OptimizerError) {
        try self.init(plan, flags: Flags(lazy: true))
    }
}
