// The state as a whole: out of it into an image, and back from one.

import Optimizers

extension ModelState {
    /// The state as a value that later updates do not touch.
    ///
    /// The slots are copied, which is the only pause that a snapshot costs; the parameters are an immutable version.
    func image(fingerprint: Fingerprint) -> ModelImage {
        var memory = optimizer.exportState()
        memory.slots = memory.slots.map { slot in
            let copy = FloatBuffer(count: slot.buffer.count)
            copy.copy(from: slot.buffer)
            return OptimizerState.SlotMemory(name: slot.name, buffer: copy)
        }
        return ModelImage(
            name: facts.name, uid: facts.uid, fingerprint: fingerprint, settings: facts.settings,
            parameters: parameterDefinitions, version: version, history: history,
            divergence: divergence, areSlotsSpoiled: areSlotsSpoiled, position: position, ledger: ledger,
            keys: keys.entries, forgottenKeys: keys.forgotten, optimizer: memory, arena: arena)
    }

    private var parameterDefinitions: [ParameterDefinition] {
        facts.layout.parameters.map {
            ParameterDefinition(
                name: $0.name, shape: $0.shape, isTrainable: $0.isTrainable, wireType: $0.wireType)
        }
    }
}
