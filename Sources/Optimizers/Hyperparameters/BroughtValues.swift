// Reads the hyperparameters of a push, which have the words of the model's definition, for the model or for a group.
// `OptimizerPlan+Varied` gives the values to the rules, which check them like those of a definition.

import Names

/// The hyperparameters of a push, by where they apply.
struct BroughtValues {
    /// The values for the model, or for one group.
    struct Scope {
        /// JSON pointer into the push.
        let pointer: String
        var rate: SettingValue?
        var decay: SettingValue?
        /// Arguments of the optimizer.
        var arguments: [SettingValue.Entry] = []
    }

    static let pointer = "/hyperparameters"

    /// The values for all groups without their own.
    private(set) var model = Scope(pointer: pointer)
    /// By index of the group.
    private(set) var groups: [Int: Scope] = [:]

    /// Reads the members and refuses those that no push can set; the rules check the values.
    ///
    /// - Throws: `.invalid` for anything other than an object, an unknown group, a member of the definition that is not
    ///   a hyperparameter, an array of rates, a schedule, and a value that would change nothing.
    init(_ hyperparameters: Hyperparameters, for plan: OptimizerPlan) throws(OptimizerError) {
        guard case .object(let members) = hyperparameters.setting else {
            throw .wrongKind(Self.pointer, "`hyperparameters`", "an object", hyperparameters.setting)
        }
        for member in members where member.key != "groups" { try add(member, toModelOf: plan) }
        try readGroups(hyperparameters.setting["groups"], plan)
        try checkReach(plan)
    }

    private mutating func add(_ member: SettingValue.Entry, toModelOf plan: OptimizerPlan) throws(OptimizerError) {
        if let misplaced = Misplaced.inModel(member) { throw misplaced }
        try Self.checkKind(member, in: model)
        switch member.key {
        case "learning_rate": model.rate = try Self.rate(member, in: model)
        case "weight_decay": model.decay = member.value
        default: model.arguments.append(member)
        }
    }

    private mutating func readGroups(_ setting: SettingValue?, _ plan: OptimizerPlan) throws(OptimizerError) {
        guard let setting else { return }
        guard case .object(let entries) = setting else {
            throw .wrongKind("\(Self.pointer)/groups", "`groups`", #"an object such as {"conv":{"lr":0.1}}"#, setting)
        }
        for entry in entries {
            var scope = Scope(pointer: "\(Self.pointer)/groups/\(entry.key.pointerEscaped)")
            guard let place = plan.layout.groupIndex(of: entry.key) else {
                throw .invalid(
                    scope.pointer, .keyError,
                    "Unknown group `\(entry.key)`; \(NearestNames.hint(entry.key, among: plan.layout.groups.lazy.map(\.name)))"
                )
            }
            guard case .object(let members) = entry.value else {
                throw .wrongKind(scope.pointer, "A group's hyperparameters", "an object", entry.value)
            }
            for member in members { try Self.add(member, to: &scope, ofGroup: place, plan) }
            groups[place] = scope
        }
    }

    private static func add(
        _ member: SettingValue.Entry, to scope: inout Scope, ofGroup place: Int, _ plan: OptimizerPlan
    ) throws(OptimizerError) {
        if let misplaced = Misplaced.inGroup(member, at: scope.pointer) { throw misplaced }
        switch member.key {
        case "lr", "weight_decay": break
        default:
            if let foreign = Misplaced.argument(member, at: scope.pointer, ofGroup: place, plan) { throw foreign }
        }
        try checkKind(member, in: scope)
        switch member.key {
        case "lr": scope.rate = try rate(member, in: scope)
        case "weight_decay": scope.decay = member.value
        default: scope.arguments.append(member)
        }
    }

    /// Refuses what needs more than one update to have a meaning.
    private static func checkKind(_ member: SettingValue.Entry, in scope: Scope) throws(OptimizerError) {
        let isRate = ["learning_rate", "lr", "weight_decay"].contains(member.key)
        switch member.value {
        case .numbers where isRate, .array, .object, .null:
            throw .invalid(
                "\(scope.pointer)/\(member.key.pointerEscaped)", .typeError,
                "The hyperparameters of a push must be numbers, but `\(member.key)` is \(member.value.kind). "
                    + "Send the number for this update; use PATCH for arrays, schedules and null.",
                expected: "a number", got: member.value.kind)
        case .boolean, .integer, .number, .string, .numbers: break
        }
    }

    /// The checked rate: a number >= 0, refused with the exceptions of a definition's rate.
    private static func rate(_ member: SettingValue.Entry, in scope: Scope) throws(OptimizerError) -> SettingValue {
        let pointer = "\(scope.pointer)/\(member.key)"
        guard member.value.numberValue != nil else {
            let exception: ExceptionClass = member.value.stringValue == nil ? .typeError : .valueError
            throw .invalid(
                pointer, exception, "A learning rate must be a number >= 0; got \(member.value.kind).",
                expected: "a number >= 0", got: member.value.kind)
        }
        return .number(try SettingReader.number(member.value, .nonNegative, at: pointer, of: "a learning rate"))
    }

    /// Refuses a value for the model that no group would use: it would be ignored.
    private func checkReach(_ plan: OptimizerPlan) throws(OptimizerError) {
        if model.rate != nil, plan.groups.allSatisfy(\.hasOwnLearningRate) {
            throw Misplaced.unused("learning_rate", as: "lr", plan)
        }
        if model.decay != nil, plan.groups.allSatisfy(\.hasOwnWeightDecay) {
            throw Misplaced.unused("weight_decay", as: "weight_decay", plan)
        }
        let places = plan.groups.indices.filter { plan.ruleOfGroup[$0] == 0 }
        for argument in model.arguments {
            let isUsed = places.contains { place in
                let settings = plan.groupHyperparameters[place]
                return !plan.holdsArguments(place) || settings.isOutermost || !settings.holds(argument.key)
            }
            if !isUsed { throw Misplaced.unused(argument.key, as: argument.key, plan) }
        }
    }
}
