// The optimizers and schedules that exist, found by name. One line each; a user's daemon adds its own.

import Names

/// The optimizers and schedules by name.
public struct Catalogue: Sendable {
    /// The rules of mindspore.nn and torch.optim that paramd has.
    public static let builtin = Catalogue(
        optimizers: [
            Row(.mindSpore, SGD.self),
            Row(.mindSpore, Momentum.self),
            Row(.mindSpore, Adagrad.self),
            Row(.mindSpore, Adadelta.self),
            Row(.mindSpore, Adam.self),
            Row(.mindSpore, AdamOffload.self),
            Row(.mindSpore, LazyAdam.self),
            Row(.mindSpore, AdaMax.self),
            Row(.mindSpore, AdamWeightDecay.self),
            Row(.mindSpore, ASGD.self),
            Row(.mindSpore, FTRL.self),
            Row(.mindSpore, ProximalAdagrad.self),
            Row(.mindSpore, RMSProp.self),
            Row(.mindSpore, Rprop.self),
            Row(.mindSpore, AdaFactor.self),
            Row(.mindSpore, Lamb.self),
            Row(.mindSpore, LARS.self),
            Row(.torch, TorchSGD.self),
            Row(.torch, TorchAdam.self),
            Row(.torch, TorchAdamW.self),
            Row(.torch, TorchAdagrad.self),
            Row(.torch, TorchRMSprop.self),
            Row(.torch, TorchAdadelta.self),
            Row(.torch, TorchAdamax.self),
            Row(.torch, TorchRprop.self),
            Row(.torch, TorchASGD.self),
            Row(.torch, TorchNAdam.self),
            Row(.torch, TorchRAdam.self),
        ],
        schedules: [
            DecaySchedule<ExponentialDecay, StepClock>.self,
            DecaySchedule<NaturalExpDecay, StepClock>.self,
            DecaySchedule<InverseDecay, StepClock>.self,
            DecaySchedule<CosineDecay, StepClock>.self,
            DecaySchedule<PolynomialDecay, StepClock>.self,
            WarmUpLR.self,
        ],
        functions: [
            PiecewiseConstantFunction.self,
            DecaySchedule<ExponentialDecay, EpochClock>.self,
            DecaySchedule<NaturalExpDecay, EpochClock>.self,
            DecaySchedule<InverseDecay, EpochClock>.self,
            DecaySchedule<CosineDecay, EpochClock>.self,
            DecaySchedule<PolynomialDecay, EpochClock>.self,
            WarmUpFunction.self,
        ])

    /// An optimizer of the catalogue: whose words it speaks, and its rule.
    struct Row: Sendable {
        /// What the pipeline must know of the rule.
        let traits: RuleTraits
        /// A user's own class, which `OwnRule` makes a rule of.
        let own: Optimizer.Type?
        private let rule: Rule.Type

        /// A rule of `Rules/` that speaks the words of a framework.
        init(_ framework: Framework, _ rule: Rule.Type) {
            (self.rule, own, traits) = (rule, nil, rule.traits.speaking(framework))
        }

        /// A user's own class.
        init(own: Optimizer.Type) { (rule, self.own, traits) = (OwnRule.self, own, own.traits) }

        /// Whether both are the same optimizer.
        func isSame(as other: Row) -> Bool { rule == other.rule && own == other.own }

        /// Whether it cannot be one of several optimizers of a model.
        var updatesWholeModel: Bool { own != nil || traits.updatesWholeModel }

        func make(_ plan: OptimizerPlan) throws(OptimizerError) -> Rule { try rule.init(plan) }

        /// Why weight decay leaves a parameter out, beside the rules of groups and names.
        func exemption(_ name: Name, settings: SettingReader) -> String? {
            own?.exemption(name, settings: settings) ?? rule.exemption(name, settings: settings)
        }

        /// Whether `grad_centralization` reaches the gradients.
        func centralizes(_ settings: SettingReader) -> Bool {
            own?.centralizes(settings) ?? (traits.centralizes && rule.centralizes(settings))
        }
    }

    let optimizers: [Row]
    let schedules: [any LearningRateSchedule.Type]
    let functions: [any LearningRateSchedule.Type]

    init(
        optimizers: [Row], schedules: [any LearningRateSchedule.Type],
        functions: [any LearningRateSchedule.Type]
    ) {
        self.optimizers = optimizers
        self.schedules = schedules
        self.functions = functions
    }

    /// The built-in catalogue with a user's own optimizers and schedules in front.
    public init(adding optimizers: [Optimizer.Type], schedules: [any LearningRateSchedule.Type] = []) {
        self.init(
            optimizers: optimizers.map(Row.init(own:)) + Self.builtin.optimizers,
            schedules: schedules + Self.builtin.schedules,
            functions: Self.builtin.functions)
    }

    /// Whether there are optimizers or schedules beside those of paramd.
    public var hasOwnCode: Bool {
        optimizers.count > Self.builtin.optimizers.count || schedules.count > Self.builtin.schedules.count
    }

    /// The optimizers' names, MindSpore's first; torch's as "torch.Adam".
    public var names: [String] {
        optimizers.map { $0.traits.framework.qualified($0.traits.name) }
    }

    /// The schedules' names, classes first.
    public var scheduleNames: [String] { (schedules + functions).map { $0.name } }

    /// Makes an optimizer: its groups resolved, its slots allocated and at their initial values, its step as defined.
    ///
    /// - Throws: `.invalid` for whatever the definition gets wrong; `.noMemory` where the system has none.
    public func makeOptimizer(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> ModelOptimizer {
        let (plan, rules) = try draft(definition: definition, parameters: parameters)
        return try ModelOptimizer(plan, rules)
    }

    /// The plan of an optimizer, and its rules: everything that can be wrong has been said, and nothing is allocated.
    func draft(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        let plan = try PlanBuilder(definition: definition, parameters: parameters, catalogue: self).build()
        var rules: [Rule] = []
        for place in plan.rules.indices {
            let seen = plan.seen(by: place)
            rules.append(try seen.row.make(seen))
            try seen.hyperparameters.finish(seen.row.traits.unknownKeyException)
        }
        for settings in plan.groupHyperparameters where !settings.isOutermost { try settings.finish(.keyError) }
        return (try plan.completed(by: rules), rules)
    }

    /// The bytes that an optimizer's slots will take, counted before anything is allocated.
    ///
    /// Parameters, their versions and gradients are the caller's to count.
    /// - Throws: `.invalid` as `makeOptimizer`, and where the count would not fit in an Int.
    public func memoryNeeded(definition: SettingValue, parameters: [ParameterDefinition]) throws(OptimizerError) -> Int
    {
        try stateBytes(definition: definition, parameters: parameters).slots
    }

    /// The same, with the bytes of the slots' copies that its updates may make; nothing is allocated.
    ///
    /// - Throws: `.invalid` as `makeOptimizer`.
    public func stateBytes(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> (slots: Int, copies: Int) {
        let (plan, rules) = try draft(definition: definition, parameters: parameters)
        return (plan.byteCount, rules.contains(where: \.mayCopySlots) ? plan.byteCount : 0)
    }

    /// What a model of this definition is made of; nothing is allocated.
    ///
    /// - Throws: `.invalid` as `makeOptimizer`.
    public func stateForm(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> StateForm {
        StateForm(try draft(definition: definition, parameters: parameters).plan)
    }

    /// A schedule that `setting` or a part of it names and that is not there; nil for none.
    public func unknownSchedule(in setting: SettingValue) -> String? {
        if let name = setting["schedule"]?.stringValue, !knowsSchedule(name) { return name }
        switch setting {
        case .array(let elements): return elements.lazy.compactMap { unknownSchedule(in: $0) }.first
        case .object(let entries): return entries.lazy.compactMap { unknownSchedule(in: $0.value) }.first
        default: return nil
        }
    }

    private func knowsSchedule(_ name: String) -> Bool {
        (scheduleNames + ["sequence"]).contains { $0.foldedSchedule == name.foldedSchedule }
    }

    /// The schedule that `setting` describes, its arguments read and checked.
    func makeSchedule(
        _ setting: SettingValue, name: String, pointer: String
    ) throws(OptimizerError) -> any LearningRateSchedule {
        try readSchedule(setting, name: name, pointer: pointer).schedule
    }

    /// The schedule that `setting` describes, with the reader of its arguments.
    func readSchedule(
        _ setting: SettingValue, name: String, pointer: String
    ) throws(OptimizerError) -> (schedule: any LearningRateSchedule, settings: SettingReader) {
        let isFunction = setting["total_step"] != nil || setting["milestone"] != nil
        let candidates = isFunction ? functions : schedules + functions
        guard let type = candidates.first(where: { $0.name.foldedSchedule == name.foldedSchedule }) else {
            throw .invalid(
                "\(pointer)/schedule", .valueError, "There is no schedule `\(name)`; \(scheduleHint(name))",
                expected: scheduleNames.joined(separator: ", "), got: name)
        }
        let settings = SettingReader(setting, pointer: pointer, owner: type.name, known: ["schedule"])
        do throws(OptimizerError) {
            let schedule = try type.init(settings)
            try settings.finish()
            return (schedule, settings)
        } catch {
            throw Self.misspelling(in: setting, settings, type) ?? error
        }
    }

    /// The argument that would be the missing one if it were spelt like it: naming it says more than what is missing.
    private static func misspelling(
        in setting: SettingValue, _ settings: SettingReader, _ type: any LearningRateSchedule.Type
    ) -> OptimizerError? {
        guard let missing = settings.missing else { return nil }
        let near = NearestNames.of(missing, among: setting.entries.map(\.key))
        for name in near where name != "schedule" {
            let entries = setting.entries.map {
                SettingValue.Entry(key: $0.key == name ? missing : $0.key, value: $0.value)
            }
            let corrected = SettingReader(
                .object(entries), pointer: settings.pointer, owner: type.name, known: ["schedule"])
            guard (try? type.init(corrected)) != nil, (try? corrected.finish()) != nil else { continue }
            return .invalid(
                "\(settings.pointer)/\(name.pointerEscaped)", .typeError,
                "\(type.name) has no `\(name)`; did you mean `\(missing)`?", expected: missing.text, got: name.text)
        }
        return nil
    }

    func scheduleHint(_ name: String) -> String {
        let names = Set((scheduleNames + ["sequence"]).map { Name($0) }).sorted()
        let example = NearestNames.of(Name(name), among: names).lazy.compactMap { Aliases.exampleOfSchedule($0.text) }
            .first
        return NearestNames.hint(Name(name), among: names) + (example.map { " Write `\($0)`." } ?? "")
    }
}
