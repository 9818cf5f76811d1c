// The meaning of a definition, independent of how it is written: definitions with equal canonical forms are the same.
// Made from what was read, not from the text; `ParameterServing` takes its fingerprint.

import Names

extension Catalogue {
    /// The definition as read: spellings resolved, defaults written out, members sorted, numbers as used in
    /// computation.
    ///
    /// Parameters are read in the order of their names, because the members of a JSON object have no order. Where the
    /// definition states an order (groups, their `params`, `order_params`), it is kept.
    ///
    /// - Throws: `.invalid` as for `makeOptimizer`.
    public func canonical(
        _ definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> SettingValue {
        let ordered = parameters.sorted { $0.name < $1.name }
        let plan = try draft(definition: definition, parameters: ordered).plan
        let subject = try OptimizerReader(catalogue: self).read(definition["optimizer"])
        return try CanonicalForm(plan: plan, traits: subject.traits).setting
    }
}

/// Writes the canonical form of a plan.
private struct CanonicalForm {
    let plan: OptimizerPlan
    /// The traits with the applicable defaults: the class's, or those of the optimizer inside LARS.
    let traits: RuleTraits

    var setting: SettingValue {
        get throws(OptimizerError) {
            var groups: [SettingValue] = []
            for index in plan.groups.indices { groups.append(try group(index)) }
            return .object([
                SettingValue.Entry(key: "optimizer", value: plan.canonicalOptimizer),
                SettingValue.Entry(key: "groups", value: .array(groups)),
                SettingValue.Entry(key: "parameters", value: .array(plan.layout.parameters.map(parameter))),
                SettingValue.Entry(key: "lr", value: try rate(modelRate)),
                SettingValue.Entry(key: "weight_decay", value: try rate(modelDecay)),
                SettingValue.Entry(key: "is_grouped", value: .boolean(plan.isGrouped)),
                SettingValue.Entry(key: "has_dynamic_rate", value: .boolean(plan.hasDynamicRate)),
                SettingValue.Entry(key: "loss_scale", value: .number(plan.lossScale)),
                SettingValue.Entry(key: "loss_scaling", value: lossScaling),
                SettingValue.Entry(key: "past_end", value: .string(plan.pastEnd.rawValue)),
                SettingValue.Entry(key: "on_nonfinite", value: .string(plan.onNonFinite.rawValue)),
                SettingValue.Entry(key: "unique", value: .boolean(plan.unique)),
                SettingValue.Entry(key: "step", value: .integer(plan.step)),
            ]).setting("averages", to: averages).setting("clip", to: plan.clip?.canonical)
        }
    }

    /// nil if there are none: definitions without averages keep the fingerprints from before averages existed.
    private var averages: SettingValue? {
        plan.averages.isEmpty ? nil : .array(plan.averages.map(\.canonical))
    }

    /// The rate of the model, even if every group has its own.
    private var modelRate: SettingValue {
        plan.definition["learning_rate"] ?? traits.learningRate.map(SettingValue.number) ?? .null
    }

    private var modelDecay: SettingValue { plan.definition["weight_decay"] ?? .number(traits.weightDecay) }

    private func group(_ index: Int) throws(OptimizerError) -> SettingValue {
        let (group, rule) = (plan.groups[index], plan.ruleOfGroup[index])
        // Written only if set: definitions without it keep the fingerprints from before groups had optimizers.
        let own = rule == 0 ? [] : [SettingValue.Entry(key: "optimizer", value: plan.seen(by: rule).canonicalOptimizer)]
        return .object(
            [
                SettingValue.Entry(key: "name", value: .string(group.name.text)),
                SettingValue.Entry(key: "lr", value: try rate(group.learningRateSetting)),
                SettingValue.Entry(key: "weight_decay", value: try decay(index)),
                SettingValue.Entry(key: "arguments", value: plan.groupHyperparameters[index].canonical),
            ] + own)
    }

    private func parameter(_ parameter: ParameterLayout) -> SettingValue {
        .array([
            .string(parameter.name.text), .integer(parameter.groupIndex ?? -1), .boolean(parameter.decays),
            .boolean(parameter.isCentralized),
        ])
    }

    /// A rate as computed: float32 for fixed numbers, the arguments for schedules.
    private func rate(_ setting: SettingValue) throws(OptimizerError) -> SettingValue {
        switch setting {
        case .integer, .number: return .number(Double(Float(setting.numberValue ?? 0)) + 0)
        case .numbers(let values): return .numbers(values.map { Double(Float($0)) + 0 })
        case .object:
            guard let name = setting["schedule"]?.stringValue else { return setting.canonical }
            guard name.folded == "sequence" else {
                let settings = try plan.catalogue.readSchedule(setting, name: name, pointer: "").settings
                return .array([.string(settings.owner), settings.canonical])
            }
            var pieces: [SettingValue] = []
            for piece in setting["of"]?.elements ?? [] { pieces.append(try self.piece(piece)) }
            return .array(pieces)
        default: return setting
        }
    }

    private func piece(_ piece: SettingValue) throws(OptimizerError) -> SettingValue {
        let written = piece["schedule"] == nil ? piece["learning_rate"] ?? piece["lr"] ?? .null : piece
        return .array([
            piece["steps"]?.canonical ?? .null,
            try rate(piece["schedule"] == nil ? written : written.setting("steps", to: nil)),
        ])
    }

    private func decay(_ index: Int) throws(OptimizerError) -> SettingValue {
        if case .constant(let value) = plan.groups[index].weightDecay { return .number(Double(value) + 0) }
        let places = plan.layout.groups[index].pointer.split(separator: "/")
        let written = places.last.flatMap { Int($0) }.flatMap { plan.definition["groups"]?.elements?[$0] }
        return try rate(written?["weight_decay"] ?? plan.definition["weight_decay"] ?? .null)
    }

    private var lossScaling: SettingValue {
        guard let scaling = plan.lossScaling else { return .null }
        let rule: [SettingValue] =
            switch scaling.rule {
            case .fixed(let dropsOverflow): [.string("fixed"), .boolean(dropsOverflow)]
            case .manager(let factor, let window): [.string("manager"), .number(factor), .integer(window)]
            case .scaler(let factor, let window): [.string("scaler"), .number(factor), .integer(window)]
            }
        return .array(rule + [.number(scaling.initial)])
    }
}

extension OptimizerPlan {
    /// The class and its arguments as read.
    var canonicalOptimizer: SettingValue {
        .array([.string("\(row.traits.framework.rawValue).\(row.traits.name)"), hyperparameters.canonical])
    }
}

extension SettingValue {
    /// The value with sorted members and numbers of one kind.
    var canonical: SettingValue {
        switch self {
        case .integer(let value): return .number(Double(value))
        case .number(let value): return .number(value + 0)
        case .numbers(let values): return .numbers(values.map { $0 + 0 })
        case .array(let elements): return .array(elements.map(\.canonical))
        case .object(let entries):
            return .object(
                entries.sorted { $0.key < $1.key }.map { Entry(key: $0.key, value: $0.value.canonical) })
        case .null, .boolean, .string: return self
        }
    }
}
