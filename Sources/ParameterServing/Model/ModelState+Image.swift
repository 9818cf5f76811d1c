// The visible parts of a state: its size, the version for pulls, and the whole state as an image.

import Optimizers

extension ModelState {
    /// The layout of the parameters; only a growth, or the restore of another layout, changes it.
    var layout: ArenaLayout { facts.layout }

    /// The current size of data other than tensors.
    var keptBytes: Int {
        ledger.bytes + leases.bytes + keys.bytes + history.bytes + round.bytes + clocks.bytes + trainingHistory.bytes
    }

    /// The number of updates in progress.
    var stepsUnderWay: Int { forecast.count == 0 ? 0 : max(0, forecast.view(after: roundView).step - optimizer.step) }

    /// The state as pulls see it.
    var published: PublishedVersion {
        PublishedVersion(
            uid: facts.uid, version: version, step: optimizer.step, arena: arena, averages: averages.published,
            facts: facts, lossScale: optimizer.lossScale)
    }

    /// The state as a value that later updates do not change.
    ///
    /// The slots are copied, which is the only pause that a snapshot causes; the parameters and averages are those of
    /// an immutable version.
    /// - Throws: `outOfMemory` if the budget has no room for the copies; `noMemory`.
    func image() throws(ServingError) -> ModelImage {
        let slots = optimizer.exportState().slots
        // The model copies the small tables if it changes while the image exists.
        let memory = try pool.budget.reserve(
            slots.reduce(KeptMemory.pages(keptBytes)) { $0 + $1.buffer.count * MemoryLayout<Float>.stride })
        var image = view
        image.memory = memory
        image.head.optimizer.slots = try wrapping { () throws(OptimizerError) in
            try slots.map { slot throws(OptimizerError) in try slot.copy() }
        }
        return image
    }

    /// As `image`, for one use; the slots are copied into the pool's free buffers where they fit.
    ///
    /// - Throws: as `image`.
    func lentImage() throws(ServingError) -> LentImage {
        let slots = optimizer.exportState().slots
        let others = slots.filter { $0.buffer.count != pool.count }
        var (image, arenas): (ModelImage, [Arena]) = (view, [])
        image.memory = try pool.budget.reserve(
            others.reduce(KeptMemory.pages(keptBytes)) { $0 + $1.buffer.count * MemoryLayout<Float>.stride })
        image.head.optimizer.slots = try slots.map { slot throws(ServingError) in
            guard slot.buffer.count == pool.count else {
                return try wrapping { () throws(OptimizerError) in try slot.copy() }
            }
            let arena = try pool.take()
            arena.buffer.copy(from: slot.buffer)
            arenas.append(arena)
            return OptimizerState.SlotMemory(name: slot.name, buffer: arena.buffer)
        }
        return LentImage(image, slotsIn: arenas)
    }

    /// A copy if the model is at that step and sound: the slots of a diverged model contain what broke it.
    func image(ifAt step: Int?) throws(ServingError) -> ModelImage? {
        guard optimizer.step == step, divergence == nil else { return nil }
        return try image()
    }

    /// The state itself, with the model's own slots, which the next command changes.
    var view: ModelImage {
        var state = optimizer.exportState()
        state.averages = averages.memories
        let head = ImageHead(
            name: facts.name, uid: facts.uid, fingerprint: fingerprint, settings: facts.settings,
            parameters: parameterDefinitions, version: version, divergence: divergence,
            areSlotsSpoiled: areSlotsSpoiled, position: position, history: history, workers: ledger.workers,
            expired: ledger.expired, epochs: ledger.epochs, keys: keys.entries, forgottenKeys: keys.forgotten,
            round: RoundImage(round, of: facts.uid, in: layout), clocks: clocks, optimizer: state,
            trainingHistory: trainingHistory, eventCount: eventCount, layoutChanges: facts.layoutChanges)
        return ModelImage(head: head, arena: arena, memory: memory)
    }

    private var parameterDefinitions: [ParameterDefinition] {
        facts.layout.parameters.map {
            ParameterDefinition(
                name: $0.name, shape: $0.shape, isTrainable: $0.isTrainable, wireType: $0.wireType)
        }
    }
}
