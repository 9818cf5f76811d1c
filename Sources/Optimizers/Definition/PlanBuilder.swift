// Builds a plan from a definition, in MindSpore's order of checks: parameters, loss_scale, learning_rate, groups,
// weight_decay. The rule reads its own arguments. Nothing is allocated here.

import Names

/// Resolves a definition.
struct PlanBuilder {
    let definition: SettingValue
    let parameters: [ParameterDefinition]
    let catalogue: Catalogue

    static let keys: [Name] = [
        "optimizer", "learning_rate", "weight_decay", "loss_scale", "loss_scaling", "groups", "default_group",
        "centralization_rule", "target", "unique", "past_end", "on_nonfinite", "step", "averages", "clip",
    ]

    func build() throws(OptimizerError) -> OptimizerPlan {
        guard case .object = definition else {
            throw .invalid("", .typeError, "A definition must be an object; got \(definition.kind).")
        }
        let top = SettingReader(
            definition, pointer: "", owner: "A model", known: Self.keys + ["parameters", "consistency"])
        try top.finish(.keyError)
        let subject = try OptimizerReader(catalogue: catalogue).read(top.raw("optimizer"))
        try checkParameters()
        let (lossScale, lossScaling) = try readLossScale(top, traits: subject.traits)
        let rate = try readLearningRate(top, traits: subject.traits)
        let membership = try readGroups(top, framework: subject.traits.framework)
        let subjects = try OptimizerSubjects(subject, membership, catalogue)
        for other in subjects.all { try checkLossScale(top, lossScale, other.traits) }
        let decay = try readWeightDecay(top, subject.traits)
        let reader = GroupSettingsReader(
            catalogue: catalogue, subjects: subjects, rate: rate, decay: decay,
            written: (top.raw("learning_rate"), top.raw("weight_decay")))
        let groups = try reader.read(membership, isGrouped: top.has("groups"))
        let builder = LayoutBuilder(
            parameters: parameters, membership: membership, groups: groups, subjects: subjects,
            isGrouped: top.has("groups"), modelDecay: decay, rule: try top.choice("centralization_rule", default: .all))
        try readTarget(top)
        var plan = OptimizerPlan(
            definition: definition, subjects: subjects, layout: try builder.build(), groups: groups,
            hasDynamicRate: rate.0.isDynamic || groups.contains { $0.learningRate.isDynamic },
            groupHyperparameters: zip(membership.groups, subjects.placeOfGroup).map {
                subjects.all[$1].settings(ofGroup: $0)
            },
            isGrouped: top.has("groups"), lossScale: lossScale, lossScaling: lossScaling,
            pastEnd: try top.choice("past_end", default: .error),
            onNonFinite: try top.choice("on_nonfinite", default: .reject),
            clip: try readClip(top), isReduced: Reduction.isUsed(by: top.raw("consistency")),
            unique: try top.boolean("unique", default: true),
            step: try readStep(top), warnings: membership.warnings,
            catalogue: catalogue)
        plan.averages = try Average.read(top.raw("averages"))
        return plan
    }

    private func checkParameters() throws(OptimizerError) {
        guard !parameters.isEmpty else {
            throw .invalid("/parameters", .valueError, "A model needs at least one parameter.")
        }
        var names = Set<Name>()
        var count = 0
        for parameter in parameters {
            guard names.insert(parameter.name).inserted else {
                throw .invalid(
                    "/parameters", .valueError, "Two parameters are named `\(parameter.name)`; rename one of them.")
            }
            let (sum, overflow) = count.addingReportingOverflow(parameter.shape.elementCount)
            guard !overflow, sum <= Int.max / 64 else {
                throw .invalid(
                    "/parameters", .valueError,
                    "The parameters are too large for the memory of any machine; make them smaller.",
                    expected: "fewer elements", got: parameter.name.text)
            }
            count = sum
        }
    }

    private func readLossScale(
        _ top: SettingReader, traits: RuleTraits
    ) throws(OptimizerError) -> (Double, LossScaling?) {
        let scale = try top.number("loss_scale", default: 1, .positive)
        try checkLossScale(top, scale, traits)
        guard LossScaling.isUsable(scale) else {
            throw top.complaint(
                "loss_scale", .valueError,
                "`loss_scale` \(scale) is too small: gradients are divided by it, and 1 / loss_scale is too large for float32. Use 3e-39 or more.",
                "a number >= 3e-39", "\(scale)")
        }
        guard let setting = top.raw("loss_scaling") else { return (scale, nil) }
        guard !top.has("loss_scale") else {
            throw top.complaint(
                "loss_scale", .valueError, "`loss_scale` and `loss_scaling` exclude each other; keep one of them.")
        }
        return (1, try LossScaling(setting, pointer: "/loss_scaling"))
    }

    /// Refuses a loss scale if an optimizer of the model does not support it.
    private func checkLossScale(_ top: SettingReader, _ scale: Double, _ traits: RuleTraits) throws(OptimizerError) {
        guard scale != 1, !traits.takesLossScale || !traits.framework.words.hasBaseClass else { return }
        throw top.complaint(
            "loss_scale", .typeError, "\(traits.name) has no loss scale; leave `loss_scale` out.", "1", "\(scale)")
    }

    private func readLearningRate(
        _ top: SettingReader, traits: RuleTraits
    ) throws(OptimizerError) -> (LearningRate, SettingValue) {
        if let setting = top.raw("learning_rate") {
            return (try LearningRate(setting, pointer: "/learning_rate", catalogue: catalogue), setting)
        }
        if traits.makesOwnRate { return (.relative, .null) }
        guard let rate = traits.learningRate else {
            throw top.complaint(
                "learning_rate", .typeError, "\(traits.name) needs `learning_rate`.", "a learning rate", "nothing")
        }
        return (.constant(Float(rate)), .number(rate))
    }

    private func readWeightDecay(_ top: SettingReader, _ traits: RuleTraits) throws(OptimizerError) -> WeightDecay {
        guard let setting = top.raw("weight_decay") else { return .constant(Float(traits.weightDecay)) }
        return try WeightDecay(setting, pointer: "/weight_decay", catalogue: catalogue, traits: traits)
    }

    /// The first step; below 2^53, so that doubles represent it exactly.
    private func readStep(_ top: SettingReader) throws(OptimizerError) -> Int {
        let step = try top.wholeNumber("step", default: 0, atLeast: 0)
        guard OptimizerState.steps.contains(step) else {
            throw top.complaint("step", .valueError, "`step` must be below 2^53.", "an integer below 2^53", "\(step)")
        }
        return step
    }

    private func readGroups(_ top: SettingReader, framework: Framework) throws(OptimizerError) -> GroupMembership {
        let reader = GroupReader(parameters: parameters, framework: framework)
        let addsDefault = try top.boolean("default_group", default: false)
        guard let setting = top.raw("groups") else { return reader.ungrouped() }
        return try reader.read(setting, addsDefault: addsDefault)
    }

    private func readClip(_ top: SettingReader) throws(OptimizerError) -> GradientClip? {
        guard let setting = top.raw("clip") else { return nil }
        return try GradientClip(setting, pointer: "/clip")
    }

    /// `target` names the device of the update; paramd has only the CPU.
    private func readTarget(_ top: SettingReader) throws(OptimizerError) {
        guard let setting = top.raw("target") else { return }
        guard let target = setting.stringValue else {
            throw top.complaint(
                "target", .typeError, "`target` must be a string; got \(setting.kind).", "CPU", setting.kind)
        }
        guard target == "CPU" else {
            let isDevice = ["GPU", "Ascend"].contains(target)
            throw top.complaint(
                "target", .valueError,
                isDevice
                    ? "This server has no \(target) and updates on the CPU; leave `target` out."
                    : "`target` must be \"CPU\"; got \"\(target)\".", "CPU", target)
        }
    }
}

extension SettingReader {
    /// One of the names of an enumeration; `fallback` if absent.
    public func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: Name, default fallback: Choice
    ) throws(OptimizerError) -> Choice where Choice.RawValue == String {
        guard let setting = raw(key) else { return note(key, fallback) { .string($0.rawValue) } }
        let names = Choice.allCases.map(\.rawValue)
        let words = names.map { "\"\($0)\"" }.joined(separator: " or ")
        guard let text = setting.stringValue else {
            throw complaint(key, .typeError, "`\(key)` must be \(words); got \(setting.kind).", words, setting.kind)
        }
        guard let choice = Choice(rawValue: text) else {
            let near = NearestNames.of(Name(text), among: names.map { Name($0) }).map { "`\"\(key)\":\"\($0)\"`" }
            let hint = near.isEmpty ? "" : " Write \(near.joined(separator: " or "))."
            throw complaint(key, .valueError, "`\(key)` must be \(words); got \"\(text)\".\(hint)", words, text)
        }
        return note(key, choice) { .string($0.rawValue) }
    }
}
