// A definition after all of its rules were applied: what an optimizer's initialiser starts from, and what answers whoever
// asks about a model's settings. Nothing in it changes; a PATCH makes another.

import Names

/// What happens to a push whose gradients hold NaN or infinity.
public enum NonFinitePolicy: String, CaseIterable, Sendable {
    /// The push is refused.
    case reject
    /// The update is skipped, as an overflow.
    case skip
}

/// A group with its settings resolved.
public struct GroupPlan: Sendable {
    /// Its name.
    public let name: Name
    /// Its rate: its own or the model's.
    public let learningRate: LearningRate
    /// Whether it has a rate of its own.
    public let hasOwnLearningRate: Bool
    /// Its rate as written in the definition.
    public let learningRateSetting: Setting
    /// Its weight decay: its own or the model's.
    public let weightDecay: WeightDecay
}

/// A definition after all of its rules were applied; nothing in it is allocated.
public struct OptimizerPlan: Sendable {
    /// The definition as given.
    public let definition: Setting
    /// The optimizer's line in the catalogue.
    let row: Catalogue.Row
    /// Where each parameter is.
    public let layout: ArenaLayout
    /// The groups, parallel to `layout.groups`.
    public let groups: [GroupPlan]
    /// Whether any rate changes with the step, the model's own included, which no group may use.
    public let hasDynamicRate: Bool
    /// The reader of the optimizer's own arguments.
    ///
    /// A rule reads all it knows; the rest is refused.
    public let hyperparameters: Settings
    /// The same per group: under torch a group may override every argument, elsewhere they are all equal.
    public let groupHyperparameters: [Settings]
    /// Whether any group was written.
    public let isGrouped: Bool
    /// The factor by which gradients arrive multiplied.
    public let lossScale: Double
    /// How the factor changes, if it does.
    public let lossScaling: LossScaling?
    /// What an exhausted array does.
    public let pastEnd: PastEnd
    /// What NaN and infinity in a push do.
    public let onNonFinite: NonFinitePolicy
    /// Whether duplicate rows are summed first.
    public let unique: Bool
    /// The step at which the model starts.
    public let step: Int
    /// What was ignored, in sentences.
    public private(set) var warnings: [String]
    /// The catalogue in which names are looked up.
    public let catalogue: Catalogue
    /// LARS: the plan of the optimizer inside.
    public let inner: Setting?
    /// The places of the slots, in the order of the rule's; none while the rule reads its arguments.
    public private(set) var slots: [SlotLayout] = []
    /// The bytes that the slots and the scratch of updates take.
    public private(set) var byteCount = 0
    /// Whether sparse gradients are defined for the rule.
    private(set) var takesSparseGradients = false

    /// One value per group, read from that group's hyperparameters.
    public func perGroup<Value>(
        _ read: (Settings) throws(OptimizerError) -> Value
    ) throws(OptimizerError) -> [Value] {
        var values: [Value] = []
        for settings in groupHyperparameters { values.append(try read(settings)) }
        return values
    }
}

extension OptimizerPlan {
    /// The optimizer's name.
    public var optimizerName: String { row.traits.name }

    /// This plan with what only its rule knows.
    ///
    /// - Throws: `.invalid` where the slots would not fit in any memory.
    func completed(by rule: Rule) throws(OptimizerError) -> OptimizerPlan {
        var plan = self
        for slot in rule.slotDefinitions { plan.slots.append(try SlotLayout(slot, layout)) }
        plan.byteCount = plan.slots.reduce(rule.scratchByteCount(layout)) {
            $0 + $1.count * MemoryLayout<Float>.stride
        }
        plan.takesSparseGradients = rule.takesSparseGradients
        plan.warnings += rule.warnings(self)
        return plan
    }

    /// The slots of a state with their places.
    func slots(of state: OptimizerState) -> [Slot] {
        zip(slots, state.slots).map { Slot(layout: $0, buffer: $1.buffer) }
    }

    /// The rate of each group, in update order, for the update that follows `step` updates; nil where the rule makes its
    /// own (AdaFactor's relative step).
    ///
    /// - Throws: `.learningRateExhausted` past the end of an array with `past_end: error`.
    /// - Source: seed, `get_lr`; a query never moves the step, unlike that of some MindSpore versions.
    public func learningRate(at step: Int) throws(OptimizerError) -> [Float?] {
        var rates: [Float?] = []
        for group in groups {
            let rate = group.learningRate.value(at: step, past: pastEnd)
            if rate == nil, let length = group.learningRate.length {
                throw .learningRateExhausted(group: group.name.text, step: step, length: length)
            }
            rates.append(rate)
        }
        return rates
    }

    /// The weight decay of each group at a step, as configured.
    public func weightDecay(at step: Int) -> [Float] { groups.map { $0.weightDecay.value(at: step) } }

    /// The weight decay of each group at a step times the fixed or current loss scale, as MindSpore reports it.
    ///
    /// - Source: seed, `get_weight_decay`.
    public func scaledWeightDecay(at step: Int, in state: OptimizerState) -> [Float] {
        weightDecay(at: step).map { min($0 * Float(decayFactor(in: state)), .greatestFiniteMagnitude) }
    }

    /// What gradients must arrive multiplied by: the fixed `loss_scale`, or the current scale of the loss scaling.
    public func lossScale(in state: OptimizerState) -> Double { state.lossScaler.first ?? lossScale }

    /// What weight decay is multiplied by before the gradients are unscaled: 1 where they are unscaled first.
    func decayFactor(in state: OptimizerState) -> Double {
        guard let lossScaling else { return lossScale }
        return lossScaling.dropsOverflow ? 1 : lossScale(in: state)
    }

    /// Whether a gradient with NaN or infinity skips the update instead of being refused.
    public var skipsNonFinite: Bool { onNonFinite == .skip || lossScaling?.dropsOverflow == true }

    /// Refuses gradients that were not made for this layout, and sparse ones where the rule has no way with them.
    ///
    /// - Throws: `.invalid`.
    func check(_ gradients: Gradients) throws(OptimizerError) {
        guard gradients.dense.count >= layout.count, gradients.isDense.count == layout.parameters.count,
            gradients.sparse.keys.allSatisfy(layout.parameters.indices.contains)
        else {
            throw .invalid("/gradients", .runtimeError, "These gradients were made for another model.")
        }
        for (index, rows) in gradients.sparse { try check(rows, of: layout.parameters[index]) }
    }

    private func check(_ rows: SparseRows, of parameter: ParameterLayout) throws(OptimizerError) {
        let pointer = "/gradients/\(parameter.name.pointerEscaped)"
        guard takesSparseGradients, parameter.shape.rank >= 1 else {
            throw .invalid(
                pointer, .typeError,
                "\(optimizerName) does not support sparse gradients here; send the whole gradient.",
                expected: "a dense gradient", got: "indices and values")
        }
        let (needed, overflow) = rows.indices.count.multipliedReportingOverflow(by: parameter.shape.rowCount)
        guard !overflow, rows.values.count >= needed else {
            throw .invalid(
                "\(pointer)/values", .valueError,
                "`values` needs \(parameter.shape.rowCount) numbers for each index.",
                expected: "\(needed) numbers", got: "\(rows.values.count)")
        }
        let limit = parameter.shape.dimensions[0]
        guard let outlier = rows.indices.first(where: { $0 < 0 || $0 >= limit }) else { return }
        throw .invalid(
            "\(pointer)/indices", .valueError, "Row \(outlier) does not exist; the parameter has \(limit) rows.",
            expected: "0 to \(limit - 1)", got: "\(outlier)")
    }
}
