// Reads the settings of each group (lr, weight_decay), which override those of the model.

import Names

/// Reads the settings of groups.
struct GroupSettingsReader {
    let catalogue: Catalogue
    let subjects: OptimizerSubjects
    let rate: (value: LearningRate, setting: SettingValue)
    let decay: WeightDecay
    /// The model's settings as written, without the defaults of its optimizer.
    let written: (rate: SettingValue?, decay: SettingValue?)

    func read(_ membership: GroupMembership, isGrouped: Bool) throws(OptimizerError) -> [GroupPlan] {
        var plans: [GroupPlan] = []
        for (place, group) in membership.groups.enumerated() { plans.append(try read(group, place)) }
        if isGrouped { try checkLengths(plans, membership) }
        return plans
    }

    private func read(_ group: GroupMembership.Group, _ place: Int) throws(OptimizerError) -> GroupPlan {
        let traits = subjects.of(place).traits
        let isOfModel = subjects.placeOfGroup[place] == 0
        var (rate, rateSetting) = self.rate
        if let own = group.setting["lr"] {
            rate = try LearningRate(own, pointer: "\(group.pointer)/lr", catalogue: catalogue)
            rateSetting = own
        } else if !isOfModel, written.rate == nil {
            (rate, rateSetting) = try standardRate(of: traits, group)
        }
        var decay = decay
        if let own = group.setting["weight_decay"] ?? (isOfModel ? nil : written.decay) {
            decay = try WeightDecay(
                own, pointer: "\(group.pointer)/weight_decay", catalogue: catalogue, traits: traits)
        } else if !isOfModel {
            decay = .constant(Float(traits.weightDecay))
        }
        return GroupPlan(
            name: group.name, learningRate: rate, hasOwnLearningRate: group.setting["lr"] != nil,
            learningRateSetting: rateSetting, weightDecay: decay,
            hasOwnWeightDecay: group.setting["weight_decay"] != nil, optimizerSetting: group.setting["optimizer"])
    }

    /// The rate of a group's own optimizer, if neither the group nor the model states one.
    private func standardRate(
        of traits: RuleTraits, _ group: GroupMembership.Group
    ) throws(OptimizerError) -> (LearningRate, SettingValue) {
        guard let rate = traits.learningRate else {
            throw .invalid(
                "\(group.pointer)/lr", .typeError,
                "\(traits.name) needs a rate; write `lr` in the group, or `learning_rate` for the model.",
                expected: "a learning rate", got: "nothing")
        }
        return (.constant(Float(rate)), .number(rate))
    }

    /// All arrays, including the model's, must have the same length: MindSpore indexes them together.
    private func checkLengths(_ plans: [GroupPlan], _ membership: GroupMembership) throws(OptimizerError) {
        var first = length(of: rate.value)
        for (plan, group) in zip(plans, membership.groups) where plan.hasOwnLearningRate {
            guard let length = length(of: plan.learningRate) else { continue }
            if let first, first != length {
                throw .invalid(
                    "\(group.pointer)/lr", .valueError,
                    "Every learning rate array, the model's included, must have the same length: \(first), not \(length). "
                        + "A PATCH extends all at once: `groups` beside `learning_rate`, as "
                        + #"{"NAME":{"lr":{"append":[0.1]}}}."#,
                    expected: first.counted("entry", "entries"), got: "\(length)")
            }
            first = length
        }
    }

    /// The length of an array or of a function, which is an array too.
    private func length(of rate: LearningRate) -> Int? {
        if case .sequence = rate { return nil }
        return rate.length
    }
}
