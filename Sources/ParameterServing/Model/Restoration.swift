// A whole earlier state on its way into a live model: from a checkpoint, a rollback, or an uploaded file.

import Optimizers

/// The slots and step to go back to, with the values or without them.
public struct Restoration: Sendable {
    /// The parameters' values in update order; nil where they stay as they are.
    var arena: Arena?
    /// Step, slots and scalars.
    var optimizer: OptimizerState
    /// The version that the state had; nil where a record of an earlier release does not tell.
    var version: Int?
    /// What the budget lends for the slots until they have been copied into the model.
    var memory: Reservation?
}

extension Restoration {
    /// The state of an image.
    init(_ image: ModelImage) {
        self.init(arena: image.arena, optimizer: image.optimizer, version: image.version, memory: image.memory)
    }

    /// Reads the image of a model that has arenas of `pool`.
    ///
    /// - Throws: `JournalError` where the bytes are damaged; `ServingError.outOfMemory`, `noMemory`.
    init(reading source: ImageSource, into pool: ArenaPool) throws {
        let (head, floats) = try source.head()
        let slots = head.optimizer.slots.map(\.buffer)
        let bytes = slots.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
        let (memory, arena) = (try pool.budget.reserve(bytes), try pool.take())
        try source.floats(into: [arena.buffer] + slots, at: floats)
        self.init(arena: arena, optimizer: head.optimizer, version: head.version, memory: memory)
    }
}
