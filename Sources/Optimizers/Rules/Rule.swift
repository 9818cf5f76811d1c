// What an optimizer does: functions over a plan and a state, one file each in this folder. `UpdatePass` calls them; nothing
// in a rule changes once its arguments are read.

import CKernels
import Names

/// A rule: its arguments, a kernel and the kernel's constants per group.
class Rule {
    /// The class's name and what it takes from the pipeline.
    class var traits: RuleTraits { RuleTraits("Optimizer") }

    /// Why weight decay leaves a parameter out, beside the rules of groups and names; nil where it does not.
    class func exemption(_ name: Name, settings: SettingReader) -> String? { nil }

    /// Whether `grad_centralization` reaches the gradients.
    class func centralizes(_ settings: SettingReader) -> Bool { traits.centralizes }

    /// The group and the update that constants are asked for.
    struct Moment {
        let group: Int
        /// The group's rate; NaN where the rule makes its own.
        let rate: Double
        /// The group's weight decay as configured.
        var decay: Double
        /// 1 on the first update: the model's or the parameter's, as the framework counts.
        var t: Int
    }

    /// What a sparse gradient does to the rows that it names, and to the others.
    enum SparseWay {
        /// It is refused.
        case refused
        /// Adam: moments of the whole tensor decay, entries add to them, every row moves.
        case everyRow
        /// FTRL and ProximalAdagrad: entries in turn, only their rows move.
        case rowsInTurn
        /// Lazy Adam: each entry starts from the slots before the step, the last one's stay.
        case rowsFromOldSlots
    }

    /// What the catalogue says of the rule.
    let traits: RuleTraits

    /// Reads the arguments of the class from `plan.hyperparameters`.
    ///
    /// - Throws: `.invalid` for an argument that the framework would refuse, with its exception class.
    required init(_ plan: OptimizerPlan) throws(OptimizerError) { traits = plan.row.traits }

    // MARK: What it keeps

    /// The slots that it keeps, by its arguments.
    var slotDefinitions: [SlotDefinition] { [] }

    /// Whether the framework keeps a slot for the parameters of a group.
    ///
    /// A slot that only other groups use is there for all parameters here, and may be missing from a file.
    func keeps(_ slot: String, group: Int) -> Bool { true }

    /// The numbers that it keeps per parameter beside its slots: MindSpore's names and the values that they begin with.
    var scalars: [(name: String, first: Double)] { [] }

    /// The numbers per parameter as files hold them: those of the state, or what follows from the rest of it.
    func parameterScalars(_ state: OptimizerState) -> [String: [Double]] {
        Dictionary(uniqueKeysWithValues: zip(scalars.map(\.name), state.scalars))
    }

    /// Those of `parameterScalars` that follow from the rest of the state and need not be in a file.
    var derivedScalars: Set<String> { [] }

    /// Scalars of the whole model by MindSpore's names (`beta1_power`), computed from the step.
    func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] { [] }

    /// Whether the rule's numbers depend on the counts of parameters, where there are any.
    var readsCounts: Bool { true }

    /// Whether an update of a group's parameter sets up what `OptimizerState.isStarted` is about.
    func starts(_ group: Int) -> Bool { true }

    /// Memory that updates need beside the slots.
    func scratchByteCount(_ layout: ArenaLayout) -> Int { 0 }

    /// What it ignores of the definition, in sentences.
    func warnings(_ plan: OptimizerPlan) -> [String] { [] }

    /// Goes on from a state that did not come of its own updates, with numbers per parameter that are not in it.
    func resume(from state: OptimizerState, _ scalars: [String: [Double]]) {}

    /// Takes back what the last update did to numbers that are not in the state.
    func undo() {}

    // MARK: What it does

    /// Whether updates go stage by stage, as a user's class does.
    var isStaged: Bool { false }

    /// The loop in `CKernels`.
    var kernel: pk_rule { PK_RULE_SGD }

    /// What sparse gradients do.
    var sparseWay: SparseWay { .refused }

    /// Whether sparse gradients are defined for it.
    var takesSparseGradients: Bool { sparseWay != .refused }

    /// The places of slots under a root, of a rule that cannot overflow while all numbers are modest; nil for others.
    ///
    /// The rule's loops have to count what they write to slots, as those of `CKernels` do.
    var modestRoots: [Int]? { nil }

    /// Whether an update may have to keep a copy of its slots though all numbers are modest.
    var mayCopySlots: Bool { isStaged || modestRoots == nil }

    /// Whether the pipeline adds a group's weight decay to its gradients.
    func addsDecay(_ group: Int) -> Bool { traits.decaysGradient }

    /// Whether a group's gradients are followed instead of descended (torch's `maximize`).
    func maximizes(_ group: Int) -> Bool { false }

    /// The rule's numbers for a group at a step.
    func constants(_ moment: Moment) -> pk_constants { pk_constants() }

    /// Makes the group's numbers those of one parameter, where they depend on it (its first update, its own scalars).
    ///
    /// Called once per update of a parameter, before it counts as started.
    func adjust(_ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass) {}

    /// Updates a range of the arena from conditioned or unconditioned gradients.
    func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) {
        update.run(kernel, slots: pass.slots(of: update.parameter))
    }

    /// Whether ranges of several parameters may be updated in one call; not where a rule needs a tensor's norm.
    var mergesNeighbours: Bool { true }

    /// Prepares a gradient in place where the kernel cannot: returns what is left to the kernel, nil for all of it.
    func conditionAhead(_ tensor: Tensor, _ pass: inout UpdatePass) -> pk_pass? { pass.centerAhead(tensor) }

    /// The staged way: the four stages, then the rule on what they made of the gradient.
    func construct(_ gradients: [Tensor], _ pass: inout UpdatePass) throws(OptimizerError) {
        let gradients = pass.decayWeight(pass.flattenGradients(gradients))
        pass.applyStaged(pass.scaleGrad(pass.gradientsCentralization(gradients)))
    }
}
