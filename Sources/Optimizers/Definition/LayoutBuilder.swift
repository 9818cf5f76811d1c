// Places the parameters in the arena and decides for each whether it decays and is centralized, and why.

import Names

/// The gradients to which `grad_centralization` applies.
enum CentralizationRule: String, CaseIterable, Sendable {
    /// Rank 2 and above.
    case all
    /// Rank 3 and above: convolutions.
    case conv
    /// Rank 2 and above if the second extent is a multiple of 16, like MindSpore's operator.
    case mindspore
}

/// Makes the layout.
struct LayoutBuilder {
    let parameters: [ParameterDefinition]
    let membership: GroupMembership
    let groups: [GroupPlan]
    let subjects: OptimizerSubjects
    let isGrouped: Bool
    let modelDecay: WeightDecay
    let rule: CentralizationRule

    func build() throws(OptimizerError) -> ArenaLayout {
        var groupOf = [Int?](repeating: nil, count: parameters.count)
        for (index, group) in membership.groups.enumerated() {
            for member in group.members { groupOf[member] = index }
        }
        let rest = parameters.indices.filter { groupOf[$0] == nil }
        let order = membership.order + rest
        var layouts: [ParameterLayout] = []
        var start = 0
        for place in order {
            let end = start + parameters[place].shape.elementCount
            layouts.append(try layout(parameters[place], group: groupOf[place], range: start..<end))
            start = end
        }
        var members = [[Int]](repeating: [], count: membership.groups.count)
        for (index, place) in order.enumerated() {
            if let group = groupOf[place] { members[group].append(index) }
        }
        let groupLayouts = zip(membership.groups, members).map {
            GroupLayout(name: $0.name, parameterIndices: $1, pointer: $0.pointer)
        }
        return ArenaLayout(parameters: layouts, groups: groupLayouts)
    }

    private func layout(
        _ parameter: ParameterDefinition, group: Int?, range: Range<Int>
    ) throws(OptimizerError) -> ParameterLayout {
        let decay = decay(of: parameter, group: group)
        let centralization = try centralization(of: parameter, group: group)
        return ParameterLayout(
            name: parameter.name, shape: parameter.shape, isTrainable: parameter.isTrainable,
            wireType: parameter.wireType, range: range, groupIndex: group, decays: decay.does, mayDecay: decay.may,
            decayReason: decay.reason, isCentralized: centralization.0,
            centralizationReason: centralization.1)
    }

    private func decay(of parameter: ParameterDefinition, group: Int?) -> (does: Bool, may: Bool, reason: String) {
        guard parameter.isTrainable, let group else { return (false, false, "it is not trained") }
        let source = subjects.of(group).traits.groupsWeightDecay ? groups[group].weightDecay : modelDecay
        let exemption = exemption(of: parameter, group: group)
        guard source.isActive else { return (false, exemption == nil, "weight_decay is 0") }
        if let exemption { return (false, false, exemption) }
        if isGrouped { return (true, true, "the weight_decay of group `\(groups[group].name)` is above 0") }
        return (true, true, "weight_decay is above 0")
    }

    /// Why weight decay skips a parameter regardless of its value; nil if it does not.
    ///
    /// Without groups, names that contain "beta" or "gamma" do not decay: a plain, case-sensitive substring, as in
    /// MindSpore.
    private func exemption(of parameter: ParameterDefinition, group: Int) -> String? {
        let subject = subjects.of(group)
        if let reason = subject.row.exemption(parameter.name, settings: subject.settings) { return reason }
        guard !isGrouped, subject.traits.filtersNames else { return nil }
        for word: Name in ["beta", "gamma"] where parameter.name.contains(word) {
            return "without groups, a name that contains \"\(word)\" does not decay"
        }
        return nil
    }

    private func centralization(
        of parameter: ParameterDefinition, group: Int?
    ) throws(OptimizerError) -> (Bool, String) {
        guard parameter.isTrainable, let group else { return (false, "it is not trained") }
        let source = membership.groups[group]
        guard let setting = source.setting["grad_centralization"] else {
            return (false, "grad_centralization is not set for its group")
        }
        guard case .boolean(let isOn) = setting else {
            let pointer = "\(source.pointer)/grad_centralization"
            throw .wrongKind(pointer, "`grad_centralization`", "true or false", setting)
        }
        let subject = subjects.of(group)
        guard subject.traits.framework.words.hasBaseClass else {
            throw .invalid(
                "\(source.pointer)/grad_centralization", .typeError,
                "\(subject.traits.framework.words.module) has no `grad_centralization`; leave it out.",
                expected: "nothing", got: setting.kind)
        }
        guard isOn else { return (false, "grad_centralization is false for its group") }
        guard subject.centralizes else {
            return (false, "\(subject.traits.name) does not centralize")
        }
        return reaches(parameter.shape)
    }

    private func reaches(_ shape: Shape) -> (Bool, String) {
        switch rule {
        case .all where shape.rank < 2: return (false, "its rank is below 2")
        case .conv where shape.rank < 3: return (false, "its rank is below 3, and centralization_rule is conv")
        case .mindspore where shape.rank < 2: return (false, "its rank is below 2")
        case .mindspore where shape.dimensions[1] % 16 != 0:
            return (false, "its second extent is not a multiple of 16, and centralization_rule is mindspore")
        default: return (true, "grad_centralization is true for its group")
        }
    }
}
