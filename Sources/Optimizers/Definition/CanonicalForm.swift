// What a definition means, whatever it is written like: two definitions are the same when their canonical forms are equal.
// Made of what was read, not of the text: `ParameterServing` takes fingerprints of it.

import Names

extension Catalogue {
    /// The definition as it was read: spellings resolved, defaults written out, members sorted, numbers as they are
    /// computed with.
    ///
    /// Parameters are read in the order of their names, since the members of a JSON object have no order; what the
    /// definition puts in an order itself (groups, their `params`, `order_params`) keeps it.
    ///
    /// - Throws: `.invalid` as `makeOptimizer`.
    public func canonical(
        _ definition: Setting, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> Setting {
        let ordered = parameters.sorted { $0.name < $1.name }
        let plan = try draft(definition: definition, parameters: ordered).plan
        let subject = try OptimizerReader(catalogue: self).read(definition["optimizer"])
        return try CanonicalForm(plan: plan, traits: subject.traits).setting
    }
}

/// Writes the canonical form of a plan.
private struct CanonicalForm {
    let plan: OptimizerPlan
    /// Whose defaults hold: the class's, or those of the optimizer inside of LARS.
    let traits: RuleTraits

    var setting: Setting {
        get throws(OptimizerError) {
            var groups: [Setting] = []
            for index in plan.groups.indices { groups.append(try group(index)) }
            return .object([
                Setting.Entry(key: "optimizer", value: plan.canonicalOptimizer),
                Setting.Entry(key: "groups", value: .array(groups)),
                Setting.Entry(key: "parameters", value: .array(plan.layout.parameters.map(parameter))),
                Setting.Entry(key: "lr", value: try rate(modelRate)),
                Setting.Entry(key: "weight_decay", value: try rate(modelDecay)),
                Setting.Entry(key: "is_grouped", value: .boolean(plan.isGrouped)),
                Setting.Entry(key: "has_dynamic_rate", value: .boolean(plan.hasDynamicRate)),
                Setting.Entry(key: "loss_scale", value: .number(plan.lossScale)),
                Setting.Entry(key: "loss_scaling", value: lossScaling),
                Setting.Entry(key: "past_end", value: .string(plan.pastEnd.rawValue)),
                Setting.Entry(key: "on_nonfinite", value: .string(plan.onNonFinite.rawValue)),
                Setting.Entry(key: "unique", value: .boolean(plan.unique)),
                Setting.Entry(key: "step", value: .integer(plan.step)),
            ])
        }
    }

    /// The rate of the model, though every group may have its own.
    private var modelRate: Setting {
        plan.definition["learning_rate"] ?? traits.learningRate.map(Setting.number) ?? .null
    }

    private var modelDecay: Setting { plan.definition["weight_decay"] ?? .number(traits.weightDecay) }

    private func group(_ index: Int) throws(OptimizerError) -> Setting {
        let (group, rule) = (plan.groups[index], plan.ruleOfGroup[index])
        // Only where it is written: definitions without it have the fingerprints that they had before groups had any.
        let own = rule == 0 ? [] : [Setting.Entry(key: "optimizer", value: plan.seen(by: rule).canonicalOptimizer)]
        return .object(
            [
                Setting.Entry(key: "name", value: .string(group.name.text)),
                Setting.Entry(key: "lr", value: try rate(group.learningRateSetting)),
                Setting.Entry(key: "weight_decay", value: try decay(index)),
                Setting.Entry(key: "arguments", value: plan.groupHyperparameters[index].canonical),
            ] + own)
    }

    private func parameter(_ parameter: ParameterLayout) -> Setting {
        .array([
            .string(parameter.name.text), .integer(parameter.groupIndex ?? -1), .boolean(parameter.decays),
            .boolean(parameter.isCentralized),
        ])
    }

    /// A rate as it is computed with: float32 for fixed numbers, the arguments that were read for schedules.
    private func rate(_ setting: Setting) throws(OptimizerError) -> Setting {
        switch setting {
        case .integer, .number: return .number(Double(Float(setting.numberValue ?? 0)) + 0)
        case .numbers(let values): return .numbers(values.map { Double(Float($0)) + 0 })
        case .object:
            guard let name = setting["schedule"]?.stringValue else { return setting.canonical }
            guard name.folded == "sequence" else {
                let settings = try plan.catalogue.readSchedule(setting, name: name, pointer: "").settings
                return .array([.string(settings.owner), settings.canonical])
            }
            var pieces: [Setting] = []
            for piece in setting["of"]?.elements ?? [] { pieces.append(try self.piece(piece)) }
            return .array(pieces)
        default: return setting
        }
    }

    private func piece(_ piece: Setting) throws(OptimizerError) -> Setting {
        let written = piece["schedule"] == nil ? piece["learning_rate"] ?? piece["lr"] ?? .null : piece
        return .array([
            piece["steps"]?.canonical ?? .null,
            try rate(piece["schedule"] == nil ? written : written.setting("steps", to: nil)),
        ])
    }

    private func decay(_ index: Int) throws(OptimizerError) -> Setting {
        if case .constant(let value) = plan.groups[index].weightDecay { return .number(Double(value) + 0) }
        let places = plan.layout.groups[index].pointer.split(separator: "/")
        let written = places.last.flatMap { Int($0) }.flatMap { plan.definition["groups"]?.elements?[$0] }
        return try rate(written?["weight_decay"] ?? plan.definition["weight_decay"] ?? .null)
    }

    private var lossScaling: Setting {
        guard let scaling = plan.lossScaling else { return .null }
        let rule: [Setting] =
            switch scaling.rule {
            case .fixed(let dropsOverflow): [.string("fixed"), .boolean(dropsOverflow)]
            case .manager(let factor, let window): [.string("manager"), .number(factor), .integer(window)]
            case .scaler(let factor, let window): [.string("scaler"), .number(factor), .integer(window)]
            }
        return .array(rule + [.number(scaling.initial)])
    }
}

extension OptimizerPlan {
    /// The class, and its arguments as they were read.
    var canonicalOptimizer: Setting {
        .array([.string("\(row.traits.framework.rawValue).\(row.traits.name)"), hyperparameters.canonical])
    }
}

extension Setting {
    /// The value with members sorted and numbers of one kind.
    var canonical: Setting {
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
