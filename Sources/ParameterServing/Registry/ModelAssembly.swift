// From a definition to a live model: count the bytes, ask the budget, only then allocate and fill.

import Optimizers

/// Builds models.
struct ModelAssembly {
    let catalogue: Catalogue
    let configuration: ServingConfiguration
    let budget: MemoryBudget

    /// Builds a model at its first version.
    ///
    /// - Throws: `invalid` for a definition that is wrong, `outOfMemory` when the budget has no room for it.
    func assemble(
        _ name: String, _ uid: ModelUID, _ definition: ModelDefinition, _ fingerprint: Fingerprint,
        executor: Executor, log: CommandLog
    ) throws(ServingError) -> Model {
        let parameters = definition.parameters.map(\.definition)
        let memory = try reserve(definition.settings, parameters)
        let optimizer = try optimizer(definition.settings, parameters)
        let pool = ArenaPool(count: optimizer.layout.count, budget: budget)
        let arena = try pool.take()
        try fill(arena, with: definition, layout: optimizer.layout)
        let facts = ModelFacts(name: name, uid: uid, optimizer: optimizer)
        let state = ModelState(
            facts: facts, optimizer: optimizer, arena: arena, pool: pool, receiptWindow: configuration.receiptWindow)
        return Model(state: state, fingerprint: fingerprint, pool: pool, memory: memory, executor: executor, log: log)
    }

    /// The bytes of the slots; the arenas are counted one by one as the pool makes them.
    private func reserve(_ settings: Setting, _ parameters: [ParameterDefinition]) throws(ServingError) -> Reservation {
        let bytes: Int
        do throws(OptimizerError) {
            bytes = try catalogue.memoryNeeded(definition: settings, parameters: parameters)
        } catch {
            throw ServingError(error)
        }
        return try budget.reserve(bytes)
    }

    private func optimizer(
        _ settings: Setting, _ parameters: [ParameterDefinition]
    ) throws(ServingError) -> Optimizer {
        do {
            return try catalogue.makeOptimizer(definition: settings, parameters: parameters)
        } catch {
            throw ServingError(error)
        }
    }

    private func fill(_ arena: Arena, with definition: ModelDefinition, layout: ArenaLayout) throws(ServingError) {
        for parameter in definition.parameters {
            guard let index = layout.index(of: parameter.definition.name) else { continue }
            let range = layout.parameters[index].range
            let target = UnsafeMutableBufferPointer(start: arena.buffer.base + range.lowerBound, count: range.count)
            switch parameter.value {
            case .values(let source): _ = target.update(fromContentsOf: source.values)
            case .initializer(let setting):
                do throws(OptimizerError) {
                    let pointer = "/parameters/\(parameter.definition.name)/init"
                    try Initializer(setting, pointer: pointer).fill(target, shape: parameter.definition.shape)
                } catch {
                    throw ServingError(error)
                }
            }
        }
    }
}
