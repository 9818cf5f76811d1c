// A definition with all rules applied: the basis of an optimizer's initializer and of all queries about a model's
// settings. Immutable; a PATCH makes a new plan.

import Names

/// The handling of a push whose gradients contain NaN or infinity.
public enum NonFinitePolicy: String, CaseIterable, Sendable {
    /// The push is refused.
    case reject
    /// The update is skipped, like an overflow.
    case skip
}

/// A group with its settings resolved.
public struct GroupPlan: Sendable {
    /// Its name.
    public let name: Name
    /// Its rate: its own or the model's.
    public internal(set) var learningRate: LearningRate
    /// Whether the rate is its own.
    public internal(set) var hasOwnLearningRate: Bool
    /// Its rate as written in the definition.
    public internal(set) var learningRateSetting: SettingValue
    /// Its weight decay: its own or the model's.
    public internal(set) var weightDecay: WeightDecay
    /// Whether the weight decay is its own.
    let hasOwnWeightDecay: Bool
    /// Its own optimizer as written in the definition; nil if it uses the model's.
    public let optimizerSetting: SettingValue?
}

/// A definition with all rules applied; nothing is allocated.
public struct OptimizerPlan: Sendable {
    /// The definition as given.
    public internal(set) var definition: SettingValue
    /// The layout of the parameters.
    public internal(set) var layout: ArenaLayout
    /// The groups, parallel to `layout.groups`.
    public internal(set) var groups: [GroupPlan]
    /// Whether any rate changes with the step, including the model's own, even if no group uses it.
    public internal(set) var hasDynamicRate: Bool
    /// The model's optimizer first, then those of groups.
    var rules: [PlannedRule]
    /// By group: the index of its optimizer in `rules`.
    let ruleOfGroup: [Int]
    /// By parameter: the index of its optimizer in `rules`; the model's for a parameter without a group.
    private let ruleOfParameter: [Int]
    /// The optimizer whose arguments are being read: the model's, or that of a group while its rule reads them.
    private var reader = 0
    /// By group: the reader of its optimizer's arguments.
    ///
    /// Under torch a group may override every argument; elsewhere all readers of one optimizer are equal.
    public internal(set) var groupHyperparameters: [SettingReader]
    /// Whether the definition has groups.
    public let isGrouped: Bool
    /// The factor that incoming gradients are multiplied by.
    public let lossScale: Double
    /// How the factor changes; nil if it is fixed.
    public let lossScaling: LossScaling?
    /// The behaviour past the end of a rate array.
    public let pastEnd: PastEnd
    /// The handling of NaN and infinity in a push.
    public let onNonFinite: NonFinitePolicy
    /// The bound on gradients; nil if there is none.
    public let clip: GradientClip?
    /// Whether gradients are unscaled before anything else, and weight decay is added to them as configured.
    ///
    /// True if they are clipped or reduced: bounds hold for gradients without a scale. Otherwise weight decay times the
    /// loss scale is added and the sum is unscaled, as in MindSpore.
    public let unscalesFirst: Bool
    /// Whether duplicate rows are summed before the update.
    public let unique: Bool
    /// The initial step of the model.
    public let step: Int
    /// The averages of the parameters to keep, in the order of `Average.Kind`.
    public internal(set) var averages: [Average] = []
    /// Warnings about ignored settings.
    public private(set) var warnings: [String]
    /// The catalogue used to look up names.
    public let catalogue: Catalogue
    /// The layouts of the slots of all optimizers, each name once; empty while the rules read their arguments.
    public private(set) var slots: [SlotLayout] = []
    /// The per-parameter numbers of all optimizers, each name once, with their initial values.
    private(set) var scalars: [(name: String, first: Double)] = []
    /// The bytes of the slots and of the scratch memory for updates.
    public private(set) var byteCount = 0

    init(
        definition: SettingValue, subjects: OptimizerSubjects, layout: ArenaLayout, groups: [GroupPlan],
        hasDynamicRate: Bool, groupHyperparameters: [SettingReader], isGrouped: Bool, lossScale: Double,
        lossScaling: LossScaling?, pastEnd: PastEnd, onNonFinite: NonFinitePolicy, clip: GradientClip?,
        isReduced: Bool, unique: Bool, step: Int, warnings: [String], catalogue: Catalogue
    ) {
        self.definition = definition
        (rules, ruleOfGroup) = (subjects.all.map(PlannedRule.init), subjects.placeOfGroup)
        ruleOfParameter = layout.parameters.map { $0.groupIndex.map { subjects.placeOfGroup[$0] } ?? 0 }
        (self.layout, self.groups, self.hasDynamicRate) = (layout, groups, hasDynamicRate)
        (self.groupHyperparameters, self.isGrouped) = (groupHyperparameters, isGrouped)
        (self.lossScale, self.lossScaling, self.pastEnd) = (lossScale, lossScaling, pastEnd)
        (self.onNonFinite, self.clip, unscalesFirst) = (onNonFinite, clip, clip != nil || isReduced)
        (self.unique, self.step) = (unique, step)
        (self.warnings, self.catalogue) = (warnings, catalogue)
    }
}

extension OptimizerPlan {
    /// The name of the model's optimizer.
    public var optimizerName: String { rules[0].row.traits.name }

    /// The index in `rules` of the optimizer that updates a parameter.
    func rule(of parameter: Int) -> Int { ruleOfParameter[parameter] }

    /// This plan completed with what its rules declare.
    ///
    /// - Throws: `.invalid` if the size of the slots overflows.
    func completed(by made: [Rule]) throws(OptimizerError) -> OptimizerPlan {
        var (plan, memory) = (self, DeclaredMemory())
        for (place, rule) in made.enumerated() {
            memory.add(rule, at: place, to: &plan.rules[place])
            plan.byteCount += rule.scratchByteCount(layout)
            plan.warnings += rule.warnings(seen(by: place))
        }
        plan.scalars = memory.scalars
        plan.slots = try memory.layouts(layout, rules: ruleOfParameter)
        plan.byteCount += plan.slots.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
        return plan
    }

    /// The slots of a state with their layouts.
    func slots(of state: OptimizerState) -> [Slot] {
        zip(slots, state.slots).map { Slot(layout: $0, buffer: $1.buffer) }
    }

    /// The rate of each group, in update order, for the update after `step` updates; nil if the rule computes its own
    /// (AdaFactor's relative step).
    ///
    /// - Throws: `.learningRateExhausted` past the end of an array with `past_end: error`.
    /// - Source: seed, `get_lr`; a query never advances the step, unlike some MindSpore versions.
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

    /// The weight decay of each group at a step times the fixed or current loss scale, as reported by MindSpore.
    ///
    /// - Source: seed, `get_weight_decay`.
    public func scaledWeightDecay(at step: Int, in state: OptimizerState) -> [Float] {
        weightDecay(at: step).map { min($0 * Float(decayFactor(in: state)), .greatestFiniteMagnitude) }
    }

    /// The factor that gradients must be multiplied by: the fixed `loss_scale`, or the current scale of the loss
    /// scaling.
    public func lossScale(in state: OptimizerState) -> Double { state.lossScaler.first ?? lossScale }

    /// The factor on weight decay before gradients are unscaled: 1 if they are unscaled first.
    func decayFactor(in state: OptimizerState) -> Double {
        guard !unscalesFirst else { return 1 }
        guard let lossScaling else { return lossScale }
        return lossScaling.dropsOverflow ? 1 : lossScale(in: state)
    }

    /// Whether a gradient with NaN or infinity skips the update instead of being refused.
    public var skipsNonFinite: Bool { onNonFinite == .skip || lossScaling?.dropsOverflow == true }

    /// Refuses gradients made for another layout, and sparse ones that the rule does not support.
    ///
    /// - Throws: `.invalid`.
    func check(_ gradients: Gradients) throws(OptimizerError) {
        guard gradients.dense.count >= layout.count, gradients.isDense.count == layout.parameters.count,
            gradients.sparse.keys.allSatisfy(layout.parameters.indices.contains)
        else {
            throw .invalid("/gradients", .runtimeError, "These gradients were made for another model.")
        }
        for (index, rows) in gradients.sparse { try check(rows, of: layout.parameters[index], rules[rule(of: index)]) }
    }

    private func check(
        _ rows: SparseRows, of parameter: ParameterLayout, _ rule: PlannedRule
    ) throws(OptimizerError) {
        let pointer = "/gradients/\(parameter.name.pointerEscaped)"
        guard rule.takesSparseGradients, parameter.shape.rank >= 1 else {
            throw .invalid(
                pointer, .typeError,
                "\(rule.row.traits.name) does not support sparse gradients here; send the whole gradient.",
                expected: "a dense gradient", got: "indices and values")
        }
        let (needed, overflow) = rows.indices.count.multipliedReportingOverflow(by: parameter.shape.rowCount)
        guard !overflow, rows.values.count >= needed else {
            throw .invalid(
                "\(pointer)/values", .valueError,
                "`values` needs \(parameter.shape.rowCount.counted("number", "numbers")) for each index.",
                expected: needed.counted("number", "numbers"), got: "\(rows.values.count)")
        }
        let limit = parameter.shape.dimensions[0]
        guard let outlier = rows.indices.first(where: { $0 < 0 || $0 >= limit }) else { return }
        throw .invalid(
            "\(pointer)/indices", .valueError,
            "Row \(outlier) does not exist; the parameter has \(limit.counted("row", "rows")).",
            expected: "0 to \(limit - 1)", got: "\(outlier)")
    }
}

// Properties of the plan that rules read while they are made.
extension OptimizerPlan {
    /// This plan as the optimizer at an index of `rules` reads it.
    func seen(by place: Int) -> OptimizerPlan {
        var plan = self
        plan.reader = place
        return plan
    }

    /// The catalogue row of the optimizer that is reading.
    var row: Catalogue.Row { rules[reader].row }

    /// Whether the model's optimizer is reading, and not one of a group.
    var isOfModel: Bool { reader == 0 }

    /// The reader of the optimizer's own arguments.
    ///
    /// A rule reads the arguments it knows; all others are refused.
    public var hyperparameters: SettingReader { rules[reader].settings }

    /// The groups that it updates.
    var itsGroups: [(GroupPlan, GroupLayout)] {
        groups.indices.filter { ruleOfGroup[$0] == reader }.map { (groups[$0], layout.groups[$0]) }
    }

    /// The readers of its arguments in the groups that it updates.
    var hyperparametersOfItsGroups: [SettingReader] {
        groups.indices.filter { ruleOfGroup[$0] == reader }.map { groupHyperparameters[$0] }
    }

    /// One value per group, read from the group's arguments; `elsewhere` for groups of other optimizers.
    public func perGroup<Value>(
        _ read: (SettingReader) throws(OptimizerError) -> Value
    ) throws(OptimizerError) -> [Value] {
        var values: [Value] = []
        for (place, settings) in zip(ruleOfGroup, groupHyperparameters) {
            values.append(try read(place == reader ? settings : hyperparameters))
        }
        return values
    }
}
