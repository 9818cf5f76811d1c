// The state as a whole: out of it into an image, and back from one.

import Optimizers

extension ModelState {
    /// The state as a value that later updates do not touch.
    ///
    /// The slots are copied, which is the only pause that a snapshot costs; the parameters are an immutable version.
    /// - Throws: `outOfMemory` where the budget has no room for the copies; `noMemory`.
    func image(fingerprint: Fingerprint) throws(ServingError) -> ModelImage {
        let slots = optimizer.exportState().slots
        // Of what is kept, the model makes a copy when it changes while the image is there.
        let memory = try pool.budget.reserve(
            slots.reduce(KeptMemory.pages(keptBytes)) { $0 + $1.buffer.count * MemoryLayout<Float>.stride })
        var image = view(fingerprint: fingerprint, memory: memory)
        do throws(OptimizerError) {
            image.optimizer.slots = try slots.map { slot throws(OptimizerError) in try slot.copy() }
        } catch {
            throw ServingError(error)
        }
        return image
    }

    /// The state as it is: its slots are the model's own, which the next command changes.
    ///
    /// - Parameter memory: what the budget lends for them, where the image outlives the model.
    func view(fingerprint: Fingerprint, memory: Reservation?) -> ModelImage {
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
