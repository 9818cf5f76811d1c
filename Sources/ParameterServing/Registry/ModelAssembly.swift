// From a definition, or from an image on disk, to a live model: count the bytes, ask the budget, and only then allocate
// and fill.

import Journal
import Names
import Optimizers

/// Builds models.
struct ModelAssembly {
    let catalogue: Catalogue
    let configuration: ServingConfiguration
    let budget: MemoryBudget
    let bodies: BodyMemory
    let executor: Executor
    let log: CommandLog
    let places: WaitingPlaces
    /// What happens to all models.
    let events: EventFeed
    /// Notes when custom code runs; nil if no notes are kept.
    let watch: RuleWatch?

    /// Makes an assembly with the registry's memory and threads.
    init(_ configuration: ServingConfiguration, _ catalogue: Catalogue, watch: RuleWatch? = nil) {
        self.catalogue = catalogue
        self.configuration = configuration
        self.watch = watch
        budget = MemoryBudget(limit: configuration.memoryLimit)
        bodies = BodyMemory(configuration)
        executor = Executor(threads: configuration.threads)
        log = CommandLog()
        places = WaitingPlaces(configuration.mostWaiting)
        let ring = EventRing(most: configuration.keptEvents, floor: EventID(number: 0))
        events = EventFeed(ModelUID(number: .random(in: .min ... .max)), ring, in: nil, budget)
    }

    /// Builds the state of a model at its first version.
    ///
    /// - Parameter mustStep: whether to refuse a model that could be built but never take a push. One from a directory
    ///   is served anyway: another release, or a larger limit, accepted it.
    /// - Throws: `invalid` for an invalid definition, or for pushes in its round that do not fit it; `outOfMemory` if the
    ///   budget has no room for it; `tooLargeToStep`.
    func assemble(
        _ name: String, _ uid: ModelUID, _ source: ModelSource, mustStep: Bool = false
    ) throws(ServingError) -> ModelState {
        let definition = source.definition
        let (former, round): (OptimizerState?, RoundImage) =
            if case .state(_, let state, let round) = source { (state, round) } else { (nil, RoundImage()) }
        var state = try state(
            name, uid, definition.settings, definition.parameters.map(\.definition), from: former, mustStep: mustStep,
            try source.fingerprint(catalogue))
        try fill(state.arena, with: definition, layout: state.layout)
        state.averages.restore(former?.averages ?? [])
        try state.adopt(round, isNew: mustStep)
        return state
    }

    /// Why a model cannot be built from a definition that was valid once; nil if it can.
    func refusal(_ settings: SettingValue, _ parameters: [ParameterDefinition]) -> String? {
        do throws(OptimizerError) {
            _ = try catalogue.memoryNeeded(definition: settings, parameters: parameters)
            _ = try Consistency(of: settings)
            return nil
        } catch {
            return ServingError(error).reason
        }
    }

    /// Builds the state of an image.
    ///
    /// - Throws: `JournalError` if the bytes are damaged; `ServingError.outOfMemory`; another `ServingError` if the
    ///   image does not match its own settings.
    func assemble(_ source: ImageSource) throws -> ModelState {
        let (head, floats) = try source.head()
        var state = try state(
            head.name, head.uid, head.settings, head.parameters, from: head.optimizer,
            layoutChanges: head.layoutChanges, head.fingerprint)
        let averages = state.averages.adopt(head.optimizer.averages)
        try source.floats(
            into: [state.arena.buffer] + state.optimizer.slots.map(\.buffer) + averages, at: floats)
        do throws(FormatError) { try state.adopt(head) } catch {
            if let bytes = error.missingMemory { throw ServingError.noMemory(needed: bytes) }
            throw JournalError.corrupted(
                file: "the image of \(head.name)", offset: error.offset, reason: "expected \(error.expected)")
        }
        return state
    }

    /// The form of an image's state: its tensors in the order of their values, and its layout.
    func form(of head: ImageHead) throws(JournalError) -> StateForm {
        do throws(OptimizerError) {
            return try catalogue.stateForm(
                definition: head.settings, parameters: head.parameters, averages: head.optimizer.averages)
        } catch {
            throw .corrupted(file: "the image of \(head.name)", offset: 0, reason: "\(error)")
        }
    }

    /// Opens a model in a state that no one else uses, with the events of the records that led there.
    func open(_ state: ModelState, _ ring: EventRing? = nil) -> Model {
        let ring = ring ?? EventRing(of: state, configuration)
        return Model(
            state, events: EventFeed(state.facts.uid, ring, in: events, budget), executor: executor, log: log,
            watch: watch, configuration: configuration, places: places)
    }

    /// A state with its own memory and unspecified values; its optimizer continues from `former`.
    private func state(
        _ name: String, _ uid: ModelUID, _ settings: SettingValue, _ parameters: [ParameterDefinition],
        from former: OptimizerState?, layoutChanges: LayoutChanges = LayoutChanges(), mustStep: Bool = false,
        _ fingerprint: @autoclosure () throws(ServingError) -> Fingerprint
    ) throws(ServingError) -> ModelState {
        let bytes = try wrapping { () throws(OptimizerError) in
            try catalogue.stateBytes(definition: settings, parameters: parameters)
        }
        let consistency = try wrapping { () throws(OptimizerError) in try Consistency(of: settings) }
        let size = ModelSize(bytes, settings, parameters, limit: budget.limit)
        try size.checkFirstVersion()
        if mustStep { try size.checkStep() }
        let memory = try budget.reserve(size.slots + size.arrays)
        let kept = try KeptMemory(budget, fixed: size.plan)
        let optimizer = try wrapping { () throws(OptimizerError) in
            try catalogue.makeOptimizer(definition: settings, parameters: parameters)
        }
        // Arenas are counted one by one as the pool makes them.
        let pool = ArenaPool(optimizer.plan.layout.placement, budget: budget)
        let arena = try pool.take()
        if let former { try optimizer.adopt(former) }
        return ModelState(
            facts: ModelFacts(
                name: name, uid: uid, plan: optimizer.plan, consistency: consistency, pool: pool,
                layoutChanges: layoutChanges),
            fingerprint: try fingerprint(), optimizer: optimizer, arena: arena,
            averages: try ModelAverages(optimizer.plan.averages, pool), pool: pool, memory: memory,
            slotBytes: size.slots, kept: kept,
            scratch: KeptMemory(budget), configuration: configuration)
    }

    private func fill(_ arena: Arena, with definition: ModelDefinition, layout: ArenaLayout) throws(ServingError) {
        for parameter in definition.parameters {
            guard let index = layout.index(of: parameter.definition.name) else { continue }
            let target = arena.buffer[layout.parameters[index].range]
            switch parameter.value {
            case .values(let source): _ = target.update(fromContentsOf: source.values)
            case .initializer:
                let initializer = try wrapping { () throws(OptimizerError) in try parameter.initializer() }
                initializer?.fill(target, name: parameter.definition.name, shape: parameter.definition.shape)
            }
        }
    }
}

extension ModelDefinition {
    /// Refuses an invalid definition without building anything.
    ///
    /// - Throws: `invalid`, as `assemble` does.
    func check(_ catalogue: Catalogue) throws(ServingError) {
        try wrapping { () throws(OptimizerError) in
            _ = try catalogue.memoryNeeded(definition: settings, parameters: parameters.map(\.definition))
            _ = try Consistency(of: settings)
            for parameter in parameters { _ = try parameter.initializer() }
        }
    }
}

extension ModelOptimizer {
    /// Continues from a state; an optimizer's refusal becomes one of this layer.
    func adopt(_ state: OptimizerState) throws(ServingError) {
        try wrapping { () throws(OptimizerError) in try importState(state) }
    }
}

extension InitialParameter {
    /// The initializer of the values; nil if they are given.
    ///
    /// - Parameter section: the member of the request that has the parameter.
    func initializer(in section: String = "/parameters") throws(OptimizerError) -> Initializer? {
        guard case .initializer(let setting) = value else { return nil }
        return try Initializer(setting, pointer: "\(section)/\(definition.name.pointerEscaped)/init")
    }
}
