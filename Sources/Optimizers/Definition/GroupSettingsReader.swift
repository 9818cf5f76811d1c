// Reads what each group sets for itself (lr, weight_decay) over what the model sets for all.

/// Reads the settings of groups.
struct GroupSettingsReader {
    let catalogue: Catalogue
    let traits: RuleTraits
    let rate: (value: LearningRate, setting: Setting)
    let decay: WeightDecay

    func read(_ membership: GroupMembership, isGrouped: Bool) throws(OptimizerError) -> [GroupPlan] {
        var plans: [GroupPlan] = []
        for group in membership.groups { plans.append(try read(group)) }
        if isGrouped { try checkLengths(plans, membership) }
        return plans
    }

    private func read(_ group: GroupMembership.Group) throws(OptimizerError) -> GroupPlan {
        var (rate, rateSetting) = self.rate
        var decay = decay
        if let own = group.setting["lr"] {
            rate = try LearningRate(own, pointer: "\(group.pointer)/lr", catalogue: catalogue)
            rateSetting = own
        }
        if let own = group.setting["weight_decay"] {
            decay = try WeightDecay(
                own, pointer: "\(group.pointer)/weight_decay", catalogue: catalogue, traits: traits)
        }
        return GroupPlan(
            name: group.name, learningRate: rate, hasOwnLearningRate: group.setting["lr"] != nil,
            learningRateSetting: rateSetting, weightDecay: decay)
    }

    /// All arrays, the model's included, must have one length: MindSpore reads them with one index.
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
                    expected: "\(first) entries", got: "\(length)")
            }
            first = length
        }
    }

    /// The length of an array or of a function, which is one.
    private func length(of rate: LearningRate) -> Int? {
        if case .sequence = rate { return nil }
        return rate.length
    }
}
