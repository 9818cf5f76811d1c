// The base class of users' own optimizers, with the words of the seed. It is a thin adapter: `OwnRule` lends it the update
// under way, and every word is answered by the plan, the state or the pass.

import Names

/// A user's own optimizer.
///
/// A subclass says its name in `traits`, reads its arguments in `init`, declares slots in `slotDefinitions` and writes
/// `construct`, with the stages `flattenGradients`, `decayWeight`, `gradientsCentralization` and `scaleGrad` as the
/// seed's example does. One instance serves one model and one thread at a time. Source: seed, mindspore.nn.Optimizer.
open class Optimizer {
    /// The class's name and what it takes from the base class.
    open class var traits: RuleTraits { RuleTraits("Optimizer") }

    /// Why weight decay leaves a parameter out, beside the rules of groups and names; nil where it does not.
    open class func exemption(_ name: Name, settings: SettingReader) -> String? { nil }

    /// Whether `grad_centralization` reaches the gradients.
    open class func centralizes(_ settings: SettingReader) -> Bool { traits.centralizes }

    /// The definition with all of its rules applied.
    public let plan: OptimizerPlan
    /// The optimizer's memory, in the order of `slotDefinitions`.
    public internal(set) var slots: [Slot] = []
    /// The state before the update under way, or before the next one.
    var state: OptimizerState
    /// The update under way.
    var pass: UpdatePass?

    /// Reads the arguments of the class from `plan.hyperparameters`; slots are allocated afterwards.
    ///
    /// - Throws: `.invalid` for an argument that MindSpore would refuse, with its exception class.
    public required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        self.plan = plan
        state = OptimizerState(startOf: plan)
    }

    /// The slots that this optimizer keeps, by its arguments.
    open var slotDefinitions: [SlotDefinition] { [] }

    /// Numbers that a rule keeps per parameter beside its slots, by MindSpore's names.
    open var parameterScalars: [String: [Double]] {
        get { [:] }
        set {}
    }

    /// Scalars of the whole model by MindSpore's names (`beta1_power`), computed from the step.
    open var modelScalars: [(name: String, value: Double)] { [] }

    /// Whether sparse gradients are defined for this optimizer.
    open var takesSparseGradients: Bool { false }

    /// Updates `parameters` by gradients that are present; called once per update, never for a skipped one.
    ///
    /// `parameters` hold the present values and are changed in place; the step, the counts and the loss scale are the
    /// caller's. `t(of: gradient.index)` is t of the formula.
    /// - Throws: whatever makes the update impossible; it must not have changed anything then.
    open func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        throw .invalid(
            "/optimizer", .runtimeError, "\(Self.traits.name) has no rule of its own; use a subclass of Optimizer.")
    }
}

extension Optimizer {
    /// Updates applied so far; the next one uses the rate of this step.
    public var step: Int { state.step }
    /// By parameter index: whether it has had a gradient.
    public var isStarted: [Bool] { state.isStarted }
    /// By parameter index: updates that it has had, where the framework counts them so; else empty.
    public var counts: [Int] { state.counts ?? [] }
    /// t of the formulas for a parameter in the update under way, or in the next one: 1 on the first.
    ///
    /// MindSpore's rules count the model's updates. torch's count those of the parameter, so that one whose first
    /// gradient comes late begins at 1; so does a user's class whose `traits.framework` is `.torch`.
    public func t(of parameter: Int) -> Int { state.t(of: parameter) }

    /// Where each parameter is, and what the definition says about it.
    public var layout: ArenaLayout { plan.layout }
    /// The definition as given, merge patches applied.
    public var definition: SettingValue { plan.definition }
    /// Where updates happen.
    public var target: String { "CPU" }
    /// Whether duplicate rows of sparse gradients are summed before the rule.
    public var unique: Bool { plan.unique }
    /// What gradients must arrive multiplied by.
    public var lossScale: Double { plan.lossScale(in: state) }

    /// The rate of each group for the next update; nil where the rule makes its own.
    ///
    /// - Throws: `.learningRateExhausted`.
    /// - Source: seed, `get_lr`.
    public var learningRate: [Float?] {
        get throws(OptimizerError) { try plan.learningRate(at: step) }
    }

    /// The rate of a parameter for the next update; nil for a parameter in no group.
    ///
    /// - Source: seed, `get_lr_parameter`.
    public func learningRate(of parameter: Int) throws(OptimizerError) -> Float? {
        guard let group = layout.parameters[parameter].groupIndex else { return nil }
        return try learningRate[group]
    }

    /// The weight decay of each group for the next update, as configured.
    ///
    /// - Source: seed, `get_weight_decay`; MindSpore's answer is `OptimizerPlan.scaledWeightDecay`.
    public var weightDecay: [Float] { plan.weightDecay(at: step) }

    /// Returns the gradients in contiguous memory.
    ///
    /// - Source: seed, `flatten_gradients`.
    public func flattenGradients(_ gradients: [Tensor]) -> [Tensor] { pass?.flattenGradients(gradients) ?? gradients }

    /// Adds weight decay: g + (weight_decay * loss_scale) * w for parameters that decay; in place.
    ///
    /// - Source: seed, `decay_weight`.
    public func decayWeight(_ gradients: [Tensor]) -> [Tensor] { pass?.decayWeight(gradients) ?? gradients }

    /// Subtracts the mean over all axes but the first where the parameter is centralized; in place.
    ///
    /// - Source: seed, `gradients_centralization`.
    public func gradientsCentralization(_ gradients: [Tensor]) -> [Tensor] {
        pass?.gradientsCentralization(gradients) ?? gradients
    }

    /// Multiplies by float32(1 / loss_scale); in place.
    ///
    /// - Source: seed, `scale_grad`.
    public func scaleGrad(_ gradients: [Tensor]) -> [Tensor] { pass?.scaleGrad(gradients) ?? gradients }

    /// The parameters under update, all of them, in update order: `construct` changes them in place.
    public var parameters: [Tensor] { layout.parameters.indices.compactMap { pass?.parameter($0) } }

    /// The parameter under update that a gradient belongs to.
    public func parameter(of gradient: Tensor) -> UnsafeMutableBufferPointer<Float> {
        pass?.parameter(gradient.index).values ?? UnsafeMutableBufferPointer(start: nil, count: 0)
    }
}
