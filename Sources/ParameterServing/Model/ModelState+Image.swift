// What others may see of a state: the version that pulls get, and the whole as an image.

import Optimizers

extension ModelState {
    /// Where each parameter is; never changes.
    var layout: ArenaLayout { facts.layout }

    /// The state as pulls may see it.
    var published: PublishedVersion {
        PublishedVersion(
            uid: facts.uid, version: version, step: optimizer.step, arena: arena, facts: facts,
            lossScale: optimizer.lossScale)
    }

    /// The state as a value that later updates do not touch.
    ///
    /// The slots are copied, which is the only pause that a snapshot costs; the parameters are an immutable version.
    /// - Throws: `outOfMemory` where the budget has no room for the copies; `noMemory`.
    func image() throws(ServingError) -> ModelImage {
        let slots = optimizer.exportState().slots
        // Of what is kept, the model makes a copy when it changes while the image is there.
        let memory = try pool.budget.reserve(
            slots.reduce(KeptMemory.pages(keptBytes)) { $0 + $1.buffer.count * MemoryLayout<Float>.stride })
        var image = view
        image.memory = memory
        image.optimizer.slots = try wrapping { () throws(OptimizerError) in
            try slots.map { slot throws(OptimizerError) in try slot.copy() }
        }
        return image
    }

    /// A copy of it if the model is at that step and sound: the slots of one that diverged hold what broke it.
    func image(ifAt step: Int?) throws(ServingError) -> ModelImage? {
        guard optimizer.step == step, divergence == nil else { return nil }
        return try image()
    }

    /// The state as it is: its slots are the model's own, which the next command changes.
    var view: ModelImage {
        ModelImage(
            name: facts.name, uid: facts.uid, fingerprint: fingerprint, settings: facts.settings,
            parameters: parameterDefinitions, version: version, history: history,
            divergence: divergence, areSlotsSpoiled: areSlotsSpoiled, position: position, ledger: ledger,
            keys: keys.entries, forgottenKeys: keys.forgotten, optimizer: optimizer.exportState(), arena: arena,
            memory: memory)
    }

    private var parameterDefinitions: [ParameterDefinition] {
        facts.layout.parameters.map {
            ParameterDefinition(
                name: $0.name, shape: $0.shape, isTrainable: $0.isTrainable, wireType: $0.wireType)
        }
    }
}
