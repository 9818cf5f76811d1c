// Arenas are large and of one size per model, and touching fresh pages costs more than an update over them. So each
// model keeps a few that are free: a version's buffer comes back here when its last reader lets go.

import Optimizers
import Threading

/// One arena-shaped buffer on loan from its model's pool.
public final class Arena: Sendable {
    /// The memory: one float32 per element of the layout, in update order.
    public let buffer: FloatBuffer
    private let pool: ArenaPool
    private let reservation: Reservation?

    fileprivate init(buffer: FloatBuffer, pool: ArenaPool, reservation: Reservation?) {
        self.buffer = buffer
        self.pool = pool
        self.reservation = reservation
    }

    deinit { pool.takeBack(buffer, reservation) }

    /// Whether the daemon has memory enough to keep more of these than it needs.
    var isPoolAtEase: Bool { pool.isAtEase }
}

/// The buffers of one model that are free to be used again.
final class ArenaPool: Sendable {
    /// Free buffers beyond this number go back to the system: one for the step, two for pushes being decoded, one spare.
    private static let mostFree = 4

    let count: Int
    private let budget: MemoryBudget
    private let free = Locked<[(FloatBuffer, Reservation)]>([])

    init(count: Int, budget: MemoryBudget) {
        self.count = count
        self.budget = budget
    }

    /// Whether less than half of the budget is in use.
    var isAtEase: Bool { budget.reserved < budget.limit / 2 }

    /// A buffer with unspecified contents.
    ///
    /// - Throws: `ServingError.outOfMemory` when none is free and the budget has no room for another.
    func take() throws(ServingError) -> Arena {
        if let (buffer, reservation) = free.withLock({ $0.popLast() }) {
            return Arena(buffer: buffer, pool: self, reservation: reservation)
        }
        let reservation = try budget.reserve(count * MemoryLayout<Float>.stride)
        return Arena(buffer: FloatBuffer(count: count), pool: self, reservation: reservation)
    }

    /// A buffer even when the budget is spent: a push that has been logged must be applied.
    func takeRegardless() -> Arena {
        if let arena = try? take() { return arena }
        return Arena(buffer: FloatBuffer(count: count), pool: self, reservation: nil)
    }

    fileprivate func takeBack(_ buffer: FloatBuffer, _ reservation: Reservation?) {
        guard let reservation else { return }
        free.withLock { free in
            if free.count < Self.mostFree { free.append((buffer, reservation)) }
        }
    }
}
