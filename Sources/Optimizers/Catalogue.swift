// The optimizers and schedules, found by name. One line each; a custom daemon adds its own.

import Names

/// The optimizers and schedules by name.
public struct Catalogue: Sendable {
    /// The rules of mindspore.nn and torch.optim that paramd implements.
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

    /// An optimizer of the catalogue: its framework and its rule.
    struct Row: Sendable {
        /// The properties of the rule that the pipeline needs.
        let traits: RuleTraits
        /// A custom class, which `OwnRule` adapts to a rule.
        let own: Optimizer.Type?
        private let rule: Rule.Type

        /// A rule of `Rules/`, in the terms of a framework.
        init(_ framework: Framework, _ rule: Rule.Type) {
            (self.rule, own, traits) = (rule, nil, rule.traits.speaking(framework))
        }

        /// A custom class.
        init(own: Optimizer.Type) { (rule, self.own, traits) = (OwnRule.self, own, own.traits) }

        /// Whether both rows are the same optimizer.
        func isSame(as other: Row) -> Bool { rule == other.rule && own == other.own }

        /// Whether it cannot be one of several optimizers of a model.
        var updatesWholeModel: Bool { own != nil || traits.updatesWholeModel }

        func make(_ plan: OptimizerPlan) throws(OptimizerError) -> Rule { try rule.init(plan) }

        /// Whether the rule reads rates, decays or the definition when it is made.
        var readsRates: Bool { rule.readsRates }

        /// Why weight decay skips a parameter, apart from the rules for groups and names.
        func exemption(_ name: Name, settings: SettingReader) -> String? {
            own?.exemption(name, settings: settings) ?? rule.exemption(name, settings: settings)
        }

        /// Whether `grad_centralization` applies to the gradients.
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

    /// The built-in catalogue, preceded by custom optimizers and schedules.
    public init(adding optimizers: [Optimizer.Type], schedules: [any LearningRateSchedule.Type] = []) {
        self.init(
            optimizers: optimizers.map(Row.init(own:)) + Self.builtin.optimizers,
            schedules: schedules + Self.builtin.schedules,
            functions: Self.builtin.functions)
    }

    /// Whether the catalogue has custom optimizers or schedules.
    public var hasOwnCode: Bool {
        optimizers.count > Self.builtin.optimizers.count || schedules.count > Self.builtin.schedules.count
    }

    /// The names of the optimizers, MindSpore's first; torch's as "torch.Adam".
    public var names: [String] {
        optimizers.map { $0.traits.framework.qualified($0.traits.name) }
    }

    /// The names of the schedules, classes first.
    public var scheduleNames: [String] { (schedules + functions).map { $0.name } }

    /// Makes an optimizer: resolves its groups, allocates and initializes its slots, and sets its step as defined.
    ///
    /// - Throws: `.invalid` for mistakes in the definition; `.noMemory` if the system has none.
    public func makeOptimizer(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> ModelOptimizer {
        let (plan, rules) = try draft(definition: definition, parameters: parameters)
        return try ModelOptimizer(plan, rules)
    }

    /// Makes the plan of an optimizer and its rules: checks everything and allocates nothing.
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

    /// The bytes that an optimizer's slots will take.
    ///
    /// The caller counts parameters, their versions and gradients.
    /// - Throws: `.invalid` as for `makeOptimizer`, and if the count overflows.
    public func memoryNeeded(definition: SettingValue, parameters: [ParameterDefinition]) throws(OptimizerError) -> Int
    {
        try stateBytes(definition: definition, parameters: parameters).slots
    }

    /// As above, including the copies of slots that updates may make.
    ///
    /// - Throws: `.invalid` as for `makeOptimizer`.
    public func stateBytes(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> (slots: Int, copies: Int) {
        let (plan, rules) = try draft(definition: definition, parameters: parameters)
        return (plan.byteCount, rules.contains(where: \.mayCopySlots) ? plan.byteCount : 0)
    }

    /// The layout of a model's state with this definition and, of its averages, those in a state.
    ///
    /// Allocates nothing.
    ///
    /// - Throws: `.invalid` as for `makeOptimizer`.
    public func stateForm(
        definition: SettingValue, parameters: [ParameterDefinition], averages: [AverageMemory] = []
    ) throws(OptimizerError) -> StateForm {
        StateForm(try draft(definition: definition, parameters: parameters).plan, averages.map(\.kind))
    }

    /// Where a definition places its parameters.
    ///
    /// - Throws: `.invalid` as for `makeOptimizer`.
    public func placement(
        definition: SettingValue, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> Placement {
        try draft(definition: definition, parameters: parameters).plan.layout.placement
    }

    /// The first schedule named in `setting`, at any depth, that does not exist; nil if all exist.
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

    /// The schedule that `setting` describes, with its arguments read and checked.
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
                "\(pointer)/schedule", .valueError, "Unknown schedule `\(name)`; \(scheduleHint(name))",
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

    /// The unknown argument that is probably a misspelling of the missing one: naming it says more than naming what is
    /// missing.
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
