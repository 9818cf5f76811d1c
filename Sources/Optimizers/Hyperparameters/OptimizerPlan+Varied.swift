// The plan of one update with its own hyperparameters: the model's plan with other values. Only those values are read;
// the definition is not read again, which keeps a rate cheap in a model with many groups.

import Names

extension OptimizerPlan {
    /// This plan with the hyperparameters of a push in place of those of the definition, and the rules that read them.
    ///
    /// The result equals the plan after a PATCH with the same values, except that the model's memory stays as it is.
    /// - Parameter rules: the rules of this plan; those that read nothing new stay.
    /// - Throws: `.invalid` as for a PATCH, with pointers into the push, and for values that would need other slots.
    func varied(
        by hyperparameters: Hyperparameters, _ rules: [Rule]
    ) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        let brought = try BroughtValues(hyperparameters, for: self)
        do throws(OptimizerError) {
            var plan = self
            let centralizes = rules.indices.map { self.rules[$0].row.centralizes(self.rules[$0].settings) }
            try plan.takeRates(brought)
            try plan.takeDecays(brought)
            let changed = try plan.takeArguments(brought)
            plan.definition = try patched(by: brought)
            return (plan, try plan.remake(rules, where: changed, brought, centralizes))
        } catch .invalid(let complaint) {
            throw .invalid(brought.located(complaint, in: layout))
        }
    }

    /// Whether a group may have arguments of its own, as in torch.
    func holdsArguments(_ group: Int) -> Bool {
        isGrouped && rules[ruleOfGroup[group]].row.traits.framework.words.groupsHoldArguments
    }

    private mutating func takeRates(_ brought: BroughtValues) throws(OptimizerError) {
        for place in groups.indices {
            let own = brought.groups[place]?.rate
            guard let rate = own ?? (groups[place].hasOwnLearningRate ? nil : brought.model.rate) else { continue }
            groups[place].learningRate = .constant(Float(rate.numberValue ?? 0))
            groups[place].learningRateSetting = rate
            if own != nil, isGrouped { groups[place].hasOwnLearningRate = true }
        }
        if brought.model.rate != nil { hasDynamicRate = groups.contains { $0.learningRate.isDynamic } }
    }

    private mutating func takeDecays(_ brought: BroughtValues) throws(OptimizerError) {
        var changed: Set<Int> = []
        for place in groups.indices {
            var (setting, scope) = (brought.groups[place]?.decay, brought.groups[place] ?? brought.model)
            if setting == nil, !groups[place].hasOwnWeightDecay {
                (setting, scope) = (brought.model.decay, brought.model)
            }
            guard let setting else { continue }
            let traits = rules[ruleOfGroup[place]].traits
            groups[place].weightDecay = try WeightDecay(
                setting, pointer: "\(scope.pointer)/weight_decay", catalogue: catalogue, traits: traits)
            if traits.groupsWeightDecay || brought.groups[place]?.decay == nil { changed.insert(place) }
        }
        if changed.isEmpty { return }
        layout = layout.decaying { parameter in
            guard let group = parameter.groupIndex, changed.contains(group) else { return parameter.decays }
            return groups[group].weightDecay.isActive
        }
    }

    /// Gives the readers the arguments; returns the indices of the rules that have to read them.
    private mutating func takeArguments(_ brought: BroughtValues) throws(OptimizerError) -> Set<Int> {
        var changed: Set<Int> = []
        if !brought.model.arguments.isEmpty {
            rules[0].settings = rules[0].settings.replacing(brought.model.arguments, at: brought.model.pointer)
            changed.insert(0)
        }
        for place in groups.indices where !holdsArguments(place) {
            guard let scope = brought.groups[place], !scope.arguments.isEmpty else { continue }
            let rule = ruleOfGroup[place]
            guard changed.insert(rule).inserted else { continue }
            try checkEqual(scope, brought, ofRule: rule)
            rules[rule].settings = rules[rule].settings.replacing(scope.arguments, at: scope.pointer)
        }
        for place in groups.indices {
            let own = brought.groups[place]?.arguments ?? []
            guard !own.isEmpty || changed.contains(ruleOfGroup[place]) else { continue }
            changed.insert(ruleOfGroup[place])
            groupHyperparameters[place] = reader(ofGroup: place, own, at: brought.groups[place]?.pointer)
        }
        return changed
    }

    /// The reader of a group's arguments, over the current one of its optimizer.
    private func reader(ofGroup place: Int, _ own: [SettingValue.Entry], at pointer: String?) -> SettingReader {
        let (settings, parent) = (groupHyperparameters[place], rules[ruleOfGroup[place]].settings)
        guard holdsArguments(place) else { return parent }
        if !settings.isOutermost { return settings.replacing(own, at: own.isEmpty ? nil : pointer, over: parent) }
        // The default group has no object in the definition.
        return own.isEmpty ? parent : SettingReader(group: .object(own), pointer: pointer ?? "", over: parent)
    }

    /// Groups that share an optimizer have one set of arguments, so a push must set the same for all of them.
    private func checkEqual(
        _ scope: BroughtValues.Scope, _ brought: BroughtValues, ofRule rule: Int
    ) throws(OptimizerError) {
        for place in groups.indices where ruleOfGroup[place] == rule {
            guard brought.groups[place]?.arguments ?? [] != scope.arguments else { continue }
            throw .invalid(
                scope.pointer, .valueError,
                "Group `\(groups[place].name)` shares its optimizer with this group; set the same values for both.",
                expected: "equal values", got: "different values")
        }
    }

    /// The definition after a PATCH with the same values.
    private func patched(by brought: BroughtValues) throws(OptimizerError) -> SettingValue {
        var patched = try MergePatch.apply(brought.model.patch(rate: "learning_rate", nested: true), to: definition)
        guard !brought.groups.isEmpty else { return patched }
        guard isGrouped, var elements = patched["groups"]?.elements else {
            return try brought.groups.first.map { _, scope throws(OptimizerError) in
                try MergePatch.apply(scope.patch(rate: "learning_rate", nested: true), to: patched)
            } ?? patched
        }
        for (place, scope) in brought.groups.sorted(by: { $0.key < $1.key }) {
            let patch = scope.patch(rate: "lr", nested: !holdsArguments(place))
            guard let index = layout.groups[place].definitionIndex else {
                // The default group comes last and is not written in the definition yet.
                patched = patched.setting("groups", to: .array(elements))
                return try MergePatch.apply(patch, toGroup: groups[place].name, of: patched, layout: layout)
            }
            elements[index] = try MergePatch.apply(patch, to: elements[index])
        }
        return patched.setting("groups", to: .array(elements))
    }

    /// The rules; those that read a changed value are built again.
    private mutating func remake(
        _ made: [Rule], where changed: Set<Int>, _ brought: BroughtValues, _ centralizes: [Bool]
    ) throws(OptimizerError) -> [Rule] {
        var made = made
        for place in rules.indices where changed.contains(place) || rules[place].row.readsRates {
            let seen = seen(by: place)
            let rule = try seen.row.make(seen)
            guard seen.row.centralizes(seen.hyperparameters) == centralizes[place] else {
                throw .invalid(
                    BroughtValues.pointer, .valueError,
                    "These hyperparameters would change which gradients are centralized, and that is part of the definition; "
                        + "change it with PATCH.", expected: "hyperparameters of an update", got: "an option")
            }
            try seen.hyperparameters.finish(
                seen.row.traits.unknownKeyException, beside: ["learning_rate", "weight_decay"])
            for group in groups.indices where brought.groups[group] != nil && ruleOfGroup[group] == place {
                if holdsArguments(group) { try groupHyperparameters[group].finish(.keyError) }
            }
            try fit(rule, at: place)
            made[place] = rule
        }
        return made
    }

    /// Lets a rule use the memory that the model has.
    ///
    /// - Throws: `.invalid` if it would need other slots, numbers or centralized gradients.
    private mutating func fit(_ rule: Rule, at place: Int) throws(OptimizerError) {
        let parameters = layout.parameters.indices.filter { self.rule(of: $0) == place }
        var found: [Int] = []
        for slot in rule.slotDefinitions {
            let known = rules[place].slots.first { slots[$0].holds(slot, layout, parameters) }
            guard let known else { throw Self.otherMemory(rule, slot.name) }
            found.append(known)
        }
        guard rule.scalars.map(\.name) == rules[place].scalars.map({ scalars[$0].name }) else {
            throw Self.otherMemory(rule, rule.scalars.first?.name ?? "")
        }
        rules[place].slots = found
        rules[place].takesSparseGradients = rule.takesSparseGradients
    }

    private static func otherMemory(_ rule: Rule, _ name: String) -> OptimizerError {
        .invalid(
            BroughtValues.pointer, .valueError,
            "With these hyperparameters, \(rule.traits.name) would need a new slot `\(name)` or other initial values for it, "
                + "but slots outlast the update of a push; change the definition with PATCH instead.",
            expected: "hyperparameters for the slots that the model has", got: name)
    }
}

extension GroupLayout {
    /// Its index in `groups` of the definition; nil for the implicit and the default group.
    fileprivate var definitionIndex: Int? {
        pointer.hasPrefix("/groups/") ? Int(pointer.dropFirst("/groups/".count)) : nil
    }
}

extension BroughtValues.Scope {
    /// These values as a patch of the model's or a group's object.
    ///
    /// - Parameter nested: whether arguments are in an object `optimizer`, and not beside the rate as in torch's groups.
    fileprivate func patch(rate key: Name, nested: Bool) -> SettingValue {
        var members: [SettingValue.Entry] = []
        if let rate { members.append(SettingValue.Entry(key: key, value: rate)) }
        if let decay { members.append(SettingValue.Entry(key: "weight_decay", value: decay)) }
        if nested, !arguments.isEmpty {
            members.append(SettingValue.Entry(key: "optimizer", value: .object(arguments)))
        } else {
            members += arguments
        }
        return .object(members)
    }
}

extension BroughtValues {
    /// A complaint of a rule or a reader, with a pointer into the push.
    fileprivate func located(_ complaint: Complaint, in layout: ArenaLayout) -> Complaint {
        var located = complaint
        if complaint.pointer == "/learning_rate", model.rate != nil {
            located.pointer = "\(Self.pointer)/learning_rate"
        }
        if complaint.pointer == "/weight_decay", model.decay != nil { located.pointer = "\(Self.pointer)/weight_decay" }
        for (place, scope) in groups where complaint.pointer == "\(layout.groups[place].pointer)/lr" {
            located.pointer = "\(scope.pointer)/lr"
        }
        if !located.pointer.hasPrefix(Self.pointer) { located.pointer = Self.pointer }
        return located
    }
}
