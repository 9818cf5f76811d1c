// Arenas are large and of one size per model, and touching fresh pages costs more than an update over them. So each
// model keeps a few that are free: a version's buffer comes back here when its last reader lets go.

import Optimizers
import Threading

/// One arena-shaped buffer on loan from its model's pool.
///
/// Not synchronised: who takes it fills it, values and stamps, before anybody else has it.
public final class Arena: @unchecked Sendable {
    /// The memory: one float32 per element of the layout, in update order.
    public let buffer: FloatBuffer
    /// Which writes made its values; nil for contents that no version has.
    var stamps: ArenaStamps?
    private let pool: ArenaPool
    private let reservation: Reservation?

    fileprivate init(buffer: FloatBuffer, stamps: ArenaStamps?, pool: ArenaPool, reservation: Reservation?) {
        self.buffer = buffer
        self.stamps = stamps
        self.pool = pool
        self.reservation = reservation
    }

    deinit { pool.takeBack(buffer, stamps, reservation) }

    /// Whether the daemon has memory enough to keep more of these than it needs.
    var isPoolAtEase: Bool { pool.isAtEase }
}

/// The buffers of one model that are free to be used again.
final class ArenaPool: Sendable {
    /// Free buffers beyond this number go back to the system: one for the step, two for pushes being decoded, one spare.
    private static let mostFree = 4

    let count: Int
    let budget: MemoryBudget
    private let free = Locked<[Free]>([])

    private struct Free {
        let buffer: FloatBuffer
        let stamps: ArenaStamps?
        let reservation: Reservation
    }

    init(count: Int, budget: MemoryBudget) {
        self.count = count
        self.budget = budget
    }

    /// Whether less than half of the budget is in use.
    var isAtEase: Bool { budget.reserved < budget.limit / 2 }

    /// A buffer with unspecified contents.
    ///
    /// One that held a version would save the next version a copy: it is taken only where memory is short.
    /// - Throws: `ServingError.outOfMemory` when none is free and the budget has no room for another.
    func take() throws(ServingError) -> Arena {
        if let arena = takeFree({ $0.stamps == nil }) { return arena }
        guard !isAtEase, let arena = takeFree({ _ in true }) else { return try make() }
        arena.stamps = nil
        return arena
    }

    /// A buffer even when the budget is spent: a push that has been logged must be applied.
    func takeRegardless() -> Arena {
        (try? take()) ?? Arena(buffer: FloatBuffer(count: count), stamps: nil, pool: self, reservation: nil)
    }

    /// A buffer for the next version, one that held an earlier version if there is one: with its stamps.
    func takeForVersion() -> Arena {
        takeFree { $0.stamps != nil } ?? takeFree { _ in true } ?? takeRegardless()
    }

    /// Gives all free buffers back to the system.
    func releaseFree() {
        _ = free.withLock { free -> [Free] in
            defer { free = [] }
            return free
        }
    }

    private func takeFree(_ isWanted: (Free) -> Bool) -> Arena? {
        let found = free.withLock { free in free.lastIndex(where: isWanted).map { free.remove(at: $0) } }
        return found.map { Arena(buffer: $0.buffer, stamps: $0.stamps, pool: self, reservation: $0.reservation) }
    }

    private func make() throws(ServingError) -> Arena {
        let reservation = try budget.reserve(count * MemoryLayout<Float>.stride)
        return Arena(buffer: FloatBuffer(count: count), stamps: nil, pool: self, reservation: reservation)
    }

    fileprivate func takeBack(_ buffer: FloatBuffer, _ stamps: ArenaStamps?, _ reservation: Reservation?) {
        guard let reservation else { return }
        let returned = Free(buffer: buffer, stamps: stamps, reservation: reservation)
        // What is dropped is unmapped outside of the lock.
        _ = free.withLock { free -> Free? in
            free.append(returned)
            guard free.count > Self.mostFree else { return nil }
            // What held a version saves a copy; the rest only saves fresh pages.
            return free.remove(at: free.firstIndex { $0.stamps == nil } ?? 0)
        }
    }
}
