// The values of settings that a definition does not write: a default, or what a group takes over from its model. An
// event that tells how a setting changed names them, so that its reader need not know the defaults.

import Names

extension OptimizerPlan {
    /// The value in effect of a setting that the definition does not write; null if there is none.
    ///
    /// - Parameter path: its keys in the definition, with the name of a group in place of its index.
    public func standing(at path: [Name]) -> SettingValue {
        let rest = Array(path.dropFirst())
        switch path.first {
        case "learning_rate"?: return rate(modelRate, at: rest)
        case "weight_decay"?: return rate(decay(of: 0), at: rest)
        case "optimizer"?: return rules[0].argument(at: rest)
        case "groups"?: return group(at: rest)
        case "averages"?: return average(at: rest)
        case "loss_scaling"?: return lossScaling?.standing(at: rest) ?? .null
        case "clip"?: return clip.flatMap { rest == ["per"] ? .string($0.scope.rawValue) : nil } ?? .null
        case let key?: return rest.isEmpty ? choice(key) : .null
        case nil: return .null
        }
    }

    private func choice(_ key: Name) -> SettingValue {
        switch key {
        case "loss_scale": lossScaling == nil ? .number(lossScale) : .null
        case "past_end": .string(pastEnd.rawValue)
        case "on_nonfinite": .string(onNonFinite.rawValue)
        case "unique": .boolean(unique)
        default: .null
        }
    }

    private var modelRate: SettingValue {
        definition["learning_rate"] ?? rules[0].traits.learningRate.map(SettingValue.number) ?? .null
    }

    /// The weight decay of groups without their own, by the index of their optimizer.
    private func decay(of rule: Int) -> SettingValue {
        definition["weight_decay"] ?? .number(rules[rule].traits.weightDecay)
    }

    /// A rate, or an argument of its schedule.
    private func rate(_ setting: SettingValue, at path: [Name]) -> SettingValue {
        guard let key = path.first else { return setting }
        guard path.count == 1, let name = setting["schedule"]?.stringValue,
            let schedule = try? catalogue.readSchedule(setting, name: name, pointer: "")
        else { return .null }
        return schedule.settings.canonical[key] ?? .null
    }

    private func group(at path: [Name]) -> SettingValue {
        guard path.count > 1, let index = groups.firstIndex(where: { $0.name == path[0] }) else { return .null }
        let (key, rest, rule) = (path[1], Array(path.dropFirst(2)), ruleOfGroup[index])
        switch key {
        case "lr": return rate(groups[index].learningRateSetting, at: rest)
        case "weight_decay": return rate(decay(of: rule), at: rest)
        case "optimizer": return rule == 0 ? .null : rules[rule].argument(at: rest)
        case "grad_centralization": return .boolean(false)
        default: return rest.isEmpty ? groupHyperparameters[index].canonical[key] ?? .null : .null
        }
    }

    private func average(at path: [Name]) -> SettingValue {
        guard path.count == 2, let average = averages.first(where: { $0.kind.name == path[0] }) else { return .null }
        switch path[1] {
        case "decay" where average.kind == .ema: return .number(average.decay)
        case "start": return .integer(average.start)
        case "every" where average.kind == .swa: return .integer(average.every)
        default: return .null
        }
    }
}

extension PlannedRule {
    /// The value of an argument as read; null for anything else.
    fileprivate func argument(at path: [Name]) -> SettingValue {
        path.count == 1 ? settings.canonical[path[0]] ?? .null : .null
    }
}

extension LossScaling {
    /// The value of a member that may be left out.
    fileprivate func standing(at path: [Name]) -> SettingValue {
        guard path.count == 1 else { return .null }
        return switch (path[0], rule) {
        case ("drop_overflow_update", .fixed(let dropsOverflow)): .boolean(dropsOverflow)
        case ("loss_scale", .fixed), ("init_loss_scale", .manager): .number(initial)
        case ("scale_factor", .manager(let factor, _)): .number(factor)
        case ("scale_window", .manager(_, let window)): .integer(window)
        default: .null
        }
    }
}
