// An earlier state on its way into a live model: from a checkpoint, a rollback, or an uploaded file.

import Optimizers

/// The slots and step to restore, with or without values.
public struct Restoration: Sendable {
    /// The parameters' values in update order; nil to keep the current ones.
    var arena: Arena?
    /// Step, slots, scalars and averages; averages only together with values.
    var optimizer: OptimizerState
    /// The version of that state; nil in records of earlier releases.
    var version: Int?
    /// The number of its checkpoint; nil for any other state, and in records of earlier releases.
    var checkpoint: UInt64?
    /// The budget's loan for the slots and averages until they have been copied into the model.
    var memory: Reservation?
}

extension Restoration {
    /// The parameters of the state; nil to keep those of the model.
    var placement: Placement? { arena?.placement }

    /// The state of an image.
    init(_ image: ModelImage) {
        self.init(
            arena: image.arena, optimizer: image.head.optimizer, version: image.head.version, memory: image.memory)
    }

    /// Reads the image of a model that has arenas of `pool`, or had others because its layout was another one.
    ///
    /// - Throws: `JournalError` if the bytes are damaged; `ServingError.outOfMemory`, `noMemory`.
    init(reading source: ImageSource, into pool: ArenaPool, _ catalogue: Catalogue) throws {
        // The head has the gradients of held pushes, which a restore drops: as bytes, and a second time while it is parsed.
        let parsing = try pool.budget.reserve(2 * (try source.endOfHead()))
        let (head, floats) = try source.head()
        withExtendedLifetime(parsing) {}
        let pool = Self.pool(of: head, like: pool, catalogue)
        let buffers = head.optimizer.buffers
        let bytes = buffers.reduce(0) { $0 + $1.count * MemoryLayout<Float>.stride }
        let (memory, arena) = (try pool.budget.reserve(bytes), try pool.take())
        try source.floats(into: [arena.buffer] + buffers, at: floats)
        self.init(arena: arena, optimizer: head.optimizer, version: head.version, memory: memory)
    }

    /// The model's pool if the image has its layout; otherwise another one.
    ///
    /// An image may have settings that this daemon cannot read, such as a schedule of another build: then the layout is
    /// taken to be the model's, and only the sizes are compared.
    private static func pool(of head: ImageHead, like pool: ArenaPool, _ catalogue: Catalogue) -> ArenaPool {
        let placement = try? catalogue.placement(definition: head.settings, parameters: head.parameters)
        guard let placement, placement != pool.placement else { return pool }
        return ArenaPool(placement, budget: pool.budget)
    }
}
