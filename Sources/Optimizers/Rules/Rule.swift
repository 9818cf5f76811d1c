// The rules of optimizers: functions of a plan and a state, one file each in this folder. `UpdatePass` calls them; a
// rule does not change after it has read its arguments.

import CKernels
import Names

/// A rule: its arguments, a kernel and the kernel's constants per group.
class Rule {
    /// The class's name and the pipeline features that it supports.
    class var traits: RuleTraits { RuleTraits("Optimizer") }

    /// Why weight decay skips a parameter, apart from the rules for groups and names; nil if it does not.
    class func exemption(_ name: Name, settings: SettingReader) -> String? { nil }

    /// Whether `grad_centralization` applies to the gradients.
    class func centralizes(_ settings: SettingReader) -> Bool { traits.centralizes }

    /// The group and update for which constants are requested.
    struct Moment {
        let group: Int
        /// The group's rate; NaN if the rule computes its own.
        let rate: Double
        /// The group's weight decay as configured.
        var decay: Double
        /// t of the formulas, 1 on the first update of the model or the parameter, depending on the framework.
        var t: Int
    }

    /// The effect of a sparse gradient on its rows and on the other rows.
    enum SparseWay {
        /// It is refused.
        case refused
        /// Adam: moments of the whole tensor decay, entries add to them, all rows change.
        case everyRow
        /// FTRL and ProximalAdagrad: entries are applied in order; only their rows change.
        case rowsInTurn
        /// Lazy Adam: each entry starts from the slots before the step; the last entry's slots are kept.
        case rowsFromOldSlots
    }

    /// The catalogue's properties of the rule.
    let traits: RuleTraits

    /// Reads the arguments of the class from `plan.hyperparameters`.
    ///
    /// - Throws: `.invalid` for an argument that the framework would refuse, with its exception class.
    required init(_ plan: OptimizerPlan) throws(OptimizerError) { traits = plan.row.traits }

    /// Whether it reads rates, decays or the definition when it is made, and not only its own arguments: then an update
    /// with its own rate needs a rule of its own.
    class var readsRates: Bool { false }

    // MARK: What it keeps

    /// The slots of the rule, which may depend on its arguments.
    var slotDefinitions: [SlotDefinition] { [] }

    /// Whether the framework keeps a slot for the parameters of a group.
    ///
    /// A slot that only other groups use exists here for all parameters, and may be missing from a file.
    func keeps(_ slot: String, group: Int) -> Bool { true }

    /// The per-parameter numbers in addition to the slots: MindSpore's names and initial values.
    var scalars: [(name: String, first: Double)] { [] }

    /// The per-parameter numbers as in files: stored in the state, or derived from it.
    func parameterScalars(_ state: OptimizerState) -> [String: [Double]] {
        Dictionary(uniqueKeysWithValues: zip(scalars.map(\.name), state.scalars))
    }

    /// The names in `parameterScalars` that can be derived and may be missing from a file.
    var derivedScalars: Set<String> { [] }

    /// Scalars of the whole model by MindSpore's names (`beta1_power`), computed from the step.
    func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] { [] }

    /// Whether the rule's numbers depend on the update counts of parameters, if there are any.
    var readsCounts: Bool { true }

    /// Whether an update of a group's parameter initializes what `OptimizerState.isStarted` tracks.
    func starts(_ group: Int) -> Bool { true }

    /// The memory that updates need in addition to the slots.
    func scratchByteCount(_ layout: ArenaLayout) -> Int { 0 }

    /// Warnings about settings that it ignores.
    func warnings(_ plan: OptimizerPlan) -> [String] { [] }

    /// Continues from a state that its own updates did not produce, with per-parameter numbers that are not in the
    /// state.
    func resume(from state: OptimizerState, _ scalars: [String: [Double]]) {}

    /// Reverts the last update's changes to numbers that are not in the state.
    func undo() {}

    // MARK: What it does

    /// Whether updates run stage by stage, like those of a custom class.
    var isStaged: Bool { false }

    /// The loop in `CKernels`.
    var kernel: pk_rule { PK_RULE_SGD }

    /// The effect of sparse gradients.
    var sparseWay: SparseWay { .refused }

    /// Whether sparse gradients are supported.
    var takesSparseGradients: Bool { sparseWay != .refused }

    /// The indices of slots under a root, for a rule that cannot overflow while all numbers are modest; nil for others.
    ///
    /// The rule's loops must count what they write to slots, as those of `CKernels` do.
    var modestRoots: [Int]? { nil }

    /// Whether an update may need to copy its slots even if all numbers are modest.
    var mayCopySlots: Bool { isStaged || modestRoots == nil }

    /// Whether the pipeline adds a group's weight decay to its gradients.
    func addsDecay(_ group: Int) -> Bool { traits.decaysGradient }

    /// Whether a group ascends along its gradients instead of descending (torch's `maximize`).
    func maximizes(_ group: Int) -> Bool { false }

    /// The rule's constants for a group at a step.
    func constants(_ moment: Moment) -> pk_constants { pk_constants() }

    /// Adapts the group's constants to one parameter, if they depend on it (its first update, its own scalars).
    ///
    /// Called once per update and parameter, before the parameter counts as started.
    func adjust(_ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass) {}

    /// Updates a range of the arena from conditioned or unconditioned gradients.
    func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) {
        update.run(kernel, slots: pass.slots(of: update.parameter))
    }

    /// Whether one call may update the ranges of several parameters; false if a rule needs a tensor's norm.
    var mergesNeighbours: Bool { true }

    /// Prepares a gradient in place if the kernel cannot; returns the conditioning left for the kernel, nil for all of
    /// it.
    func conditionAhead(_ tensor: Tensor, _ pass: inout UpdatePass) -> pk_pass? { pass.centerAhead(tensor) }

    /// The staged update: the four stages, then the rule on the resulting gradients.
    func construct(_ gradients: [Tensor], _ pass: inout UpdatePass) throws(OptimizerError) {
        let gradients = pass.decayWeight(pass.flattenGradients(gradients))
        pass.applyStaged(pass.scaleGrad(pass.gradientsCentralization(gradients)))
    }
}
