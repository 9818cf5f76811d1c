// The optimizers and schedules that exist, found by name. One line each; a user's daemon adds its own.

import Names

/// The optimizers and schedules by name.
public struct Catalogue: Sendable {
    /// The rules of mindspore.nn and torch.optim that paramd has.
    public static let builtin = Catalogue(
        optimizers: [
            SGD.self,
            Momentum.self,
            Adagrad.self,
            Adadelta.self,
            Adam.self,
            AdamOffload.self,
            LazyAdam.self,
            AdaMax.self,
            AdamWeightDecay.self,
            ASGD.self,
            FTRL.self,
            ProximalAdagrad.self,
            RMSProp.self,
            Rprop.self,
            AdaFactor.self,
            Lamb.self,
            LARS.self,
            TorchSGD.self,
            TorchAdam.self,
            TorchAdamW.self,
            TorchAdagrad.self,
            TorchRMSprop.self,
            TorchAdadelta.self,
            TorchAdamax.self,
            TorchRprop.self,
            TorchASGD.self,
            TorchNAdam.self,
            TorchRAdam.self,
        ],
        schedules: [
            ExponentialDecayLR.self,
            NaturalExpDecayLR.self,
            InverseDecayLR.self,
            CosineDecayLR.self,
            PolynomialDecayLR.self,
            WarmUpLR.self,
        ],
        functions: [
            PiecewiseConstantFunction.self,
            ExponentialDecayFunction.self,
            NaturalExpDecayFunction.self,
            InverseDecayFunction.self,
            CosineDecayFunction.self,
            PolynomialDecayFunction.self,
            WarmUpFunction.self,
        ])

    let optimizers: [Optimizer.Type]
    let schedules: [any LearningRateSchedule.Type]
    let functions: [any LearningRateSchedule.Type]

    private init(
        optimizers: [Optimizer.Type], schedules: [any LearningRateSchedule.Type],
        functions: [any LearningRateSchedule.Type]
    ) {
        self.optimizers = optimizers
        self.schedules = schedules
        self.functions = functions
    }

    /// The built-in catalogue with a user's own optimizers and schedules in front.
    public init(adding optimizers: [Optimizer.Type], schedules: [any LearningRateSchedule.Type] = []) {
        self.init(
            optimizers: optimizers + Self.builtin.optimizers, schedules: schedules + Self.builtin.schedules,
            functions: Self.builtin.functions)
    }

    /// Whether there are optimizers or schedules beside those of paramd.
    public var hasOwnCode: Bool {
        optimizers.count > Self.builtin.optimizers.count || schedules.count > Self.builtin.schedules.count
    }

    /// The optimizers' names, MindSpore's first; torch's as "torch.Adam".
    public var names: [String] {
        optimizers.map { $0.traits.framework == .torch ? "torch.\($0.traits.name)" : $0.traits.name }
    }

    /// The schedules' names, classes first.
    public var scheduleNames: [String] { (schedules + functions).map { $0.name } }

    /// Makes an optimizer: its groups resolved, its slots allocated and at their initial values, its step as defined.
    ///
    /// - Throws: `.invalid` for whatever the definition gets wrong; nothing was allocated then.
    public func makeOptimizer(
        definition: Setting, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> Optimizer {
        let optimizer = try makeUnallocated(definition: definition, parameters: parameters)
        optimizer.allocateSlots()
        return optimizer
    }

    /// An optimizer without its slots: everything that can be wrong has been said.
    func makeUnallocated(definition: Setting, parameters: [ParameterDefinition]) throws(OptimizerError) -> Optimizer {
        let plan = try PlanBuilder(definition: definition, parameters: parameters, catalogue: self).build()
        let optimizer = try plan.type.init(plan)
        try plan.hyperparameters.finish(plan.type.traits.unknownKeyException)
        for settings in plan.groupHyperparameters where settings !== plan.hyperparameters {
            try settings.finish(.keyError)
        }
        return optimizer
    }

    /// The bytes that an optimizer's slots will take, counted before anything is allocated.
    ///
    /// Parameters, their versions and gradients are the caller's to count.
    /// - Throws: `.invalid` as `makeOptimizer`, and where the count would not fit in an Int.
    public func memoryNeeded(definition: Setting, parameters: [ParameterDefinition]) throws(OptimizerError) -> Int {
        try stateBytes(definition: definition, parameters: parameters).slots
    }

    /// The same, with the bytes of the slots' copies that its updates may make; nothing is allocated.
    ///
    /// - Throws: `.invalid` as `makeOptimizer`.
    public func stateBytes(
        definition: Setting, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> (slots: Int, copies: Int) {
        let optimizer = try makeUnallocated(definition: definition, parameters: parameters)
        let slots = try optimizer.memoryNeeded()
        return (slots, optimizer.mayCopySlots ? slots : 0)
    }

    /// What a model of this definition is made of; nothing is allocated.
    ///
    /// - Throws: `.invalid` as `makeOptimizer`.
    public func stateForm(
        definition: Setting, parameters: [ParameterDefinition]
    ) throws(OptimizerError) -> StateForm {
        StateForm(try makeUnallocated(definition: definition, parameters: parameters))
    }

    /// A schedule that `setting` or a part of it names and that is not there; nil for none.
    public func unknownSchedule(in setting: Setting) -> String? {
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
        _ setting: Setting, name: String, pointer: String
    ) throws(OptimizerError) -> any LearningRateSchedule {
        try readSchedule(setting, name: name, pointer: pointer).schedule
    }

    /// The schedule that `setting` describes, with the reader of its arguments.
    func readSchedule(
        _ setting: Setting, name: String, pointer: String
    ) throws(OptimizerError) -> (schedule: any LearningRateSchedule, settings: Settings) {
        let isFunction = setting["total_step"] != nil || setting["milestone"] != nil
        let candidates = isFunction ? functions : schedules + functions
        guard let type = candidates.first(where: { $0.name.foldedSchedule == name.foldedSchedule }) else {
            throw .invalid(
                "\(pointer)/schedule", .valueError, "There is no schedule `\(name)`; \(scheduleHint(name))",
                expected: scheduleNames.joined(separator: ", "), got: name)
        }
        let settings = Settings(setting, pointer: pointer, owner: type.name, known: ["schedule"])
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
        in setting: Setting, _ settings: Settings, _ type: any LearningRateSchedule.Type
    ) -> OptimizerError? {
        guard let missing = settings.missing else { return nil }
        let near = NearestNames.of(missing, among: setting.entries.map(\.key))
        for name in near where name != "schedule" {
            let entries = setting.entries.map { Setting.Entry(key: $0.key == name ? missing : $0.key, value: $0.value) }
            let corrected = Settings(.object(entries), pointer: settings.pointer, owner: type.name, known: ["schedule"])
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

extension Optimizer {
    /// The bytes that its slots take, allocated or not.
    ///
    /// - Throws: `.invalid` where the count would not fit in an Int.
    func memoryNeeded() throws(OptimizerError) -> Int {
        var bytes = scratchByteCount
        for slot in slotDefinitions {
            for parameter in layout.parameters {
                let (sum, overflow) = bytes.addingReportingOverflow(
                    (slot.shape(parameter)?.elementCount ?? 0) * MemoryLayout<Float>.stride)
                guard !overflow else {
                    throw .invalid("", .valueError, "The parameters are too large for any machine's memory.")
                }
                bytes = sum
            }
        }
        return bytes
    }
}
