// From a definition, or from an image on disk, to a live model: count the bytes, ask the budget, only then allocate and
// fill.

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
    /// Notes what runs of a user's own code; nil where there is none.
    let watch: RuleWatch?

    /// Makes what a registry needs of memory and threads.
    init(_ configuration: ServingConfiguration, _ catalogue: Catalogue, watch: RuleWatch? = nil) {
        self.catalogue = catalogue
        self.configuration = configuration
        self.watch = watch
        budget = MemoryBudget(limit: configuration.memoryLimit)
        bodies = BodyMemory(configuration)
        executor = Executor(threads: configuration.threads)
        log = CommandLog()
    }

    /// Builds the state of a model at its first version.
    ///
    /// - Parameter mustStep: whether a model is refused that could be built and never take a push. One that is in a
    ///   directory is served: it was taken by another release, or under a larger limit.
    /// - Throws: `invalid` for a definition that is wrong, `outOfMemory` when the budget has no room for it,
    ///   `tooLargeToStep`.
    func assemble(
        _ name: String, _ uid: ModelUID, _ source: ModelSource, mustStep: Bool = false
    ) throws(ServingError) -> ModelState {
        let definition = source.definition
        let parameters = definition.parameters.map(\.definition)
        let memory = try reserve(definition.settings, parameters, mustStep: mustStep)
        let optimizer = try optimizer(definition.settings, parameters)
        let pool = ArenaPool(count: optimizer.plan.layout.count, budget: budget)
        let arena = try pool.take()
        try fill(arena, with: definition, layout: optimizer.plan.layout)
        if case .state(_, let state) = source { try adopt(state, optimizer) }
        return state(name, uid, try fingerprint(of: source), optimizer, arena, pool, memory)
    }

    /// Equal for sources that mean the same.
    func fingerprint(of source: ModelSource) throws(ServingError) -> Fingerprint {
        do throws(OptimizerError) { return try source.fingerprint(catalogue) } catch { throw ServingError(error) }
    }

    /// Says what is wrong with a definition, without building anything.
    ///
    /// - Throws: `invalid` as `assemble`.
    func check(_ definition: ModelDefinition) throws(ServingError) {
        do throws(OptimizerError) {
            _ = try catalogue.memoryNeeded(
                definition: definition.settings, parameters: definition.parameters.map(\.definition))
            for parameter in definition.parameters { _ = try parameter.initializer }
        } catch {
            throw ServingError(error)
        }
    }

    /// Why no model can be built of a definition that was good once; nil where one can.
    func refusal(_ settings: SettingValue, _ parameters: [ParameterDefinition]) -> String? {
        do throws(OptimizerError) {
            _ = try catalogue.memoryNeeded(definition: settings, parameters: parameters)
            return nil
        } catch {
            return ServingError(error).reason
        }
    }

    /// Builds the state of an image.
    ///
    /// - Throws: `JournalError` where the bytes are damaged; `ServingError.outOfMemory`; another `ServingError` where the
    ///   image does not fit what its own settings say.
    func assemble(_ source: ImageSource) throws -> ModelState {
        let (head, floats) = try source.head()
        let memory = try reserve(head.settings, head.parameters)
        let optimizer = try optimizer(head.settings, head.parameters)
        let pool = ArenaPool(count: optimizer.plan.layout.count, budget: budget)
        let arena = try pool.take()
        try adopt(head.optimizer, optimizer)
        try source.floats(into: [arena.buffer] + optimizer.slots.map(\.buffer), at: floats)
        var state = state(head.name, head.uid, head.fingerprint, optimizer, arena, pool, memory)
        state.adopt(head)
        return state
    }

    /// The tensors of an image in the order of their values.
    func tensors(of head: ImageHead) throws(JournalError) -> [CheckpointFile.Tensor] {
        do throws(OptimizerError) {
            return try catalogue.stateForm(definition: head.settings, parameters: head.parameters).tensors.map {
                CheckpointFile.Tensor(name: $0.name, shape: $0.shape)
            }
        } catch {
            throw .corrupted(file: "the image of \(head.name)", offset: 0, reason: "\(error)")
        }
    }

    /// Opens a model in a state that no one else has.
    func open(_ state: ModelState) -> Model {
        Model(
            state, executor: executor, log: log, watch: watch, clock: configuration.clock,
            retainedVersions: configuration.versions - 1)
    }

    private func state(
        _ name: String, _ uid: ModelUID, _ fingerprint: Fingerprint, _ optimizer: ModelOptimizer, _ arena: Arena,
        _ pool: ArenaPool, _ memory: Memory
    ) -> ModelState {
        ModelState(
            facts: ModelFacts(name: name, uid: uid, plan: optimizer.plan), fingerprint: fingerprint,
            optimizer: optimizer, arena: arena, pool: pool, memory: memory.tensors, slotBytes: memory.slotBytes,
            kept: memory.kept, scratch: memory.scratch, configuration: configuration)
    }

    /// What a model takes of the budget beside its arenas, which are counted one by one as the pool makes them.
    private struct Memory {
        /// Slots and arrays of rates.
        var tensors: Reservation
        /// The slots alone.
        var slotBytes: Int
        var kept: KeptMemory
        /// What updates take beside all that; nothing yet.
        var scratch: KeptMemory
    }

    private func reserve(
        _ settings: SettingValue, _ parameters: [ParameterDefinition], mustStep: Bool = false
    ) throws(ServingError) -> Memory {
        let size = try size(settings, parameters)
        try size.checkFirstVersion()
        if mustStep { try size.checkStep() }
        return Memory(
            tensors: try budget.reserve(size.slots + size.arrays), slotBytes: size.slots,
            kept: try KeptMemory(budget, fixed: size.plan), scratch: KeptMemory(budget))
    }

    private func size(_ settings: SettingValue, _ parameters: [ParameterDefinition]) throws(ServingError) -> ModelSize {
        do throws(OptimizerError) {
            return ModelSize(
                try catalogue.stateBytes(definition: settings, parameters: parameters), settings, parameters,
                limit: budget.limit)
        } catch {
            throw ServingError(error)
        }
    }

    private func optimizer(
        _ settings: SettingValue, _ parameters: [ParameterDefinition]
    ) throws(ServingError) -> ModelOptimizer {
        do throws(OptimizerError) {
            return try catalogue.makeOptimizer(definition: settings, parameters: parameters)
        } catch {
            throw ServingError(error)
        }
    }

    private func adopt(_ state: OptimizerState, _ optimizer: ModelOptimizer) throws(ServingError) {
        do throws(OptimizerError) {
            try optimizer.importState(state)
        } catch {
            throw ServingError(error)
        }
    }

    private func fill(_ arena: Arena, with definition: ModelDefinition, layout: ArenaLayout) throws(ServingError) {
        for parameter in definition.parameters {
            guard let index = layout.index(of: parameter.definition.name) else { continue }
            let target = arena.buffer[layout.parameters[index].range]
            switch parameter.value {
            case .values(let source): _ = target.update(fromContentsOf: source.values)
            case .initializer:
                do throws(OptimizerError) {
                    let initializer = try parameter.initializer
                    initializer?.fill(target, name: parameter.definition.name, shape: parameter.definition.shape)
                } catch {
                    throw ServingError(error)
                }
            }
        }
    }
}

extension InitialParameter {
    /// What makes the first values; nil where they are given.
    fileprivate var initializer: Initializer? {
        get throws(OptimizerError) {
            guard case .initializer(let setting) = value else { return nil }
            return try Initializer(setting, pointer: "/parameters/\(definition.name.pointerEscaped)/init")
        }
    }
}
