// The base class of custom optimizers, in the terms of the seed. A thin adapter: `OwnRule` provides the update in
// progress, and the plan, the state or the pass answer each call.

import Names

/// A custom optimizer.
///
/// A subclass states its name in `traits`, reads its arguments in `init`, declares slots in `slotDefinitions` and
/// implements `construct`, with the stages `flattenGradients`, `decayWeight`, `gradientsCentralization` and `scaleGrad`
/// as in the seed's example. An instance belongs to one model and is used by one thread at a time. Source: seed,
/// mindspore.nn.Optimizer.
open class Optimizer {
    /// The class's name and the base class features that it supports.
    open class var traits: RuleTraits { RuleTraits("Optimizer") }

    /// Why weight decay skips a parameter, apart from the rules for groups and names; nil if it does not.
    open class func exemption(_ name: Name, settings: SettingReader) -> String? { nil }

    /// Whether `grad_centralization` applies to the gradients.
    open class func centralizes(_ settings: SettingReader) -> Bool { traits.centralizes }

    /// The definition with all rules applied.
    public let plan: OptimizerPlan
    /// The optimizer's memory, in the order of `slotDefinitions`.
    public internal(set) var slots: [Slot] = []
    /// The state before the update in progress, or before the next one.
    var state: OptimizerState
    /// The update in progress.
    var pass: UpdatePass?

    /// Reads the arguments of the class from `plan.hyperparameters`; slots are allocated afterwards.
    ///
    /// - Throws: `.invalid` for an argument that MindSpore would refuse, with its exception class.
    public required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        self.plan = plan
        state = OptimizerState(startOf: plan)
    }

    /// The slots of this optimizer, which may depend on its arguments.
    open var slotDefinitions: [SlotDefinition] { [] }

    /// Per-parameter numbers in addition to the slots, under MindSpore's names.
    open var parameterScalars: [String: [Double]] {
        get { [:] }
        set {}
    }

    /// Scalars of the whole model by MindSpore's names (`beta1_power`), computed from the step.
    open var modelScalars: [(name: String, value: Double)] { [] }

    /// Whether this optimizer supports sparse gradients.
    open var takesSparseGradients: Bool { false }

    /// Updates `parameters` with the gradients that are present.
    ///
    /// Called once per update, and not for skipped ones.
    ///
    /// `parameters` contain the current values and are changed in place; the caller maintains step, counts and loss
    /// scale. `t(of: gradient.index)` is t of the formula.
    /// - Throws: the reason why the update is impossible; it must not have changed anything then.
    open func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        throw .invalid(
            "/optimizer", .runtimeError, "\(Self.traits.name) has no rule of its own; use a subclass of Optimizer.")
    }
}

extension Optimizer {
    /// The number of updates applied; the next update uses the rate of this step.
    public var step: Int { state.step }
    /// By parameter index: whether it has had a gradient.
    public var isStarted: [Bool] { state.isStarted }
    /// By parameter index: its number of updates, if the framework counts per parameter; otherwise empty.
    public var counts: [Int] { state.counts ?? [] }
    /// t of the formulas for a parameter in the current or next update: 1 on the first.
    ///
    /// MindSpore's rules count the model's updates. torch's count those of the parameter: one whose first gradient
    /// comes late starts at 1. A custom class with `traits.framework` `.torch` does the same.
    public func t(of parameter: Int) -> Int { state.t(of: parameter) }

    /// The layout of the parameters.
    public var layout: ArenaLayout { plan.layout }
    /// The definition as given, merge patches applied.
    public var definition: SettingValue { plan.definition }
    /// The device of updates.
    public var target: String { "CPU" }
    /// Whether duplicate rows of sparse gradients are summed before the rule.
    public var unique: Bool { plan.unique }
    /// The factor that gradients must be multiplied by.
    public var lossScale: Double { plan.lossScale(in: state) }

    /// The rate of each group for the next update; nil if the rule computes its own.
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

    /// All parameters of the update, in update order: `construct` changes them in place.
    public var parameters: [Tensor] { layout.parameters.indices.compactMap { pass?.parameter($0) } }

    /// The parameter that a gradient belongs to.
    public func parameter(of gradient: Tensor) -> UnsafeMutableBufferPointer<Float> {
        pass?.parameter(gradient.index).values ?? UnsafeMutableBufferPointer(start: nil, count: 0)
    }
}
