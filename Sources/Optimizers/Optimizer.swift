// The base class: a model's optimizer with its groups, rates, slots and step. Built-in rules (`Rules/`) and users' own
// are subclasses; the server holds one per model and calls `update`.

import CKernels
import Names

/// An optimizer with its state; one instance serves one model and one thread at a time.
///
/// A subclass says its name in `traits`, reads its arguments in `init`, declares slots in `slotDefinitions` and writes
/// `construct`, with the stages `flattenGradients`, `decayWeight`, `gradientsCentralization` and `scaleGrad` as the
/// seed's example does. Source: seed, mindspore.nn.Optimizer.
open class Optimizer {
    /// The class's name and what it takes from the base class.
    open class var traits: RuleTraits { RuleTraits("Optimizer") }

    /// Why weight decay leaves a parameter out, beside the rules of groups and names; nil where it does not.
    open class func exemption(_ name: Name, settings: Settings) -> String? { nil }

    /// Whether `grad_centralization` reaches the gradients.
    open class func centralizes(_ settings: Settings) -> Bool { traits.centralizes }

    /// The definition with all of its rules applied.
    public let plan: OptimizerPlan
    /// Updates applied so far; the next one uses the rate of this step.
    public internal(set) var step: Int
    /// The optimizer's memory, in the order of `slotDefinitions`.
    public internal(set) var slots: [Slot] = []
    /// By parameter index: whether it has had a gradient.
    ///
    /// What a rule sets up at its first update hangs on it.
    public internal(set) var isStarted: [Bool]
    /// By parameter index: updates that it has had, where the framework counts them so; else empty.
    public internal(set) var counts: [Int]
    /// The current loss scale; nil without loss scaling.
    public internal(set) var lossScaler: LossScaler?
    /// The update under way.
    var pass: UpdatePass?

    /// Reads the arguments of the class from `plan.hyperparameters`; slots are allocated afterwards.
    ///
    /// - Throws: `.invalid` for an argument that MindSpore would refuse, with its exception class.
    public required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        self.plan = plan
        step = plan.step
        isStarted = Array(repeating: false, count: plan.layout.parameters.count)
        counts = Self.traits.framework.countsPerParameter ? isStarted.map { _ in 0 } : []
        lossScaler = plan.lossScaling.map(LossScaler.init)
    }

    /// Whether an update of this parameter sets up what `isStarted` is about.
    func starts(_ parameter: Int) -> Bool { true }

    /// t of the formulas for a parameter in the update under way, or in the next one: 1 on the first.
    ///
    /// MindSpore's rules count the model's updates. torch's count those of the parameter, so that one whose first
    /// gradient comes late begins at 1; so does a user's class whose `traits.framework` is `.torch`.
    public final func t(of parameter: Int) -> Int { counts.isEmpty ? step + 1 : counts[parameter] + 1 }

    /// The slots that this optimizer keeps, by its arguments.
    open var slotDefinitions: [SlotDefinition] { [] }

    /// Numbers that a rule keeps per parameter beside its slots, by MindSpore's names.
    open var parameterScalars: [String: [Double]] {
        get { [:] }
        set {}
    }

    /// Those of `parameterScalars` that follow from the rest of the state and need not be in a file.
    var derivedScalars: Set<String> { [] }

    /// Whether the framework keeps a slot for the parameters of a group.
    ///
    /// A slot that only other groups use is there for all parameters here, and may be missing from a file.
    func keeps(_ slot: String, group: Int) -> Bool { true }

    /// Whether the rule's numbers depend on the counts of parameters, where there are any.
    var readsCounts: Bool { true }

    /// Scalars of the whole model by MindSpore's names (`beta1_power`), computed from the step.
    open var modelScalars: [(name: String, value: Double)] { [] }

    /// Updates `parameters` by gradients that are present; called once per update, never for a skipped one.
    ///
    /// `parameters` hold the present values and are changed in place; the step, the counts and the loss scale are the
    /// caller's. `t(of: gradient.index)` is t of the formula.
    /// - Throws: whatever makes the update impossible; it must not have changed anything then.
    open func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        throw .invalid(
            "/optimizer", .runtimeError, "\(Self.traits.name) has no rule of its own; use a subclass of Optimizer.")
    }

    /// The update itself: the way of a subclass is staged, built-in rules override it with their fused way.
    func runUpdate(_ gradients: inout Gradients) throws(OptimizerError) {
        try runStaged(&gradients)
    }

    /// By parameter, whether an update with these gradients writes it; nil where it may write any.
    public func written(by gradients: Gradients) -> [Bool]? { nil }

    /// The places of slots under a root, of a rule that cannot overflow while all numbers are modest; nil for others.
    ///
    /// The rule's loops have to count what they write to slots, as those of `CKernels` do.
    var modestRoots: [Int]? { nil }

    /// Whether an update may have to keep a copy of its slots though all numbers are modest.
    public var mayCopySlots: Bool { modestRoots == nil }

    /// Whether this update, from weights and slots that are modest, leaves all of them finite.
    func staysFinite(with gradients: Gradients) -> Bool {
        guard modestRoots != nil, let pass, pass.lossScale <= 0x1p30 else { return false }
        guard pass.rates.allSatisfy({ abs($0) <= Float(Modesty.mostFactor) }), pass.decays.allSatisfy({ $0 <= 1 }),
            abs(pass.unscale ?? 1) <= 1, abs(pass.scaleAfter ?? 1) <= 1
        else { return false }
        return gradients.areModest(in: layout)
    }

    /// What the definition said that is ignored, in sentences.
    public var warnings: [String] { plan.warnings }

    /// Whether sparse gradients are defined for this optimizer.
    open var takesSparseGradients: Bool { false }

    /// Whether the pipeline adds a group's weight decay to its gradients.
    func addsDecay(_ group: Int) -> Bool { Self.traits.decaysGradient }

    /// Whether a group's gradients are followed instead of descended (torch's `maximize`).
    func maximizes(_ group: Int) -> Bool { false }

    /// Memory that updates need beside the slots; taken at the first update that needs it.
    var scratchByteCount: Int { 0 }

    /// Where each parameter is, and what the definition says about it.
    public var layout: ArenaLayout { plan.layout }
    /// The definition as given, merge patches applied.
    public var definition: Setting { plan.definition }
    /// Where updates happen.
    public var target: String { "CPU" }
    /// Whether duplicate rows of sparse gradients are summed before the rule.
    public var unique: Bool { plan.unique }

    func allocateSlots() {
        slots = slotDefinitions.map { Slot($0, layout: layout) }
    }
}
