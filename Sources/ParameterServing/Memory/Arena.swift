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
    private let reservation: Reservation

    fileprivate init(buffer: FloatBuffer, stamps: ArenaStamps?, pool: ArenaPool, reservation: Reservation) {
        self.buffer = buffer
        self.stamps = stamps
        self.pool = pool
        self.reservation = reservation
    }

    deinit { pool.takeBack(buffer, stamps, reservation) }

    /// Bytes that are paid for at once, so that a body asks the budget seldom.
    private static let step = 1 << 20

    /// Takes from the budget what the first `bytes` written here need; of the rest no page is touched yet.
    ///
    /// - Throws: `ServingError.outOfMemory` when the budget has no room for it.
    public func pay(for bytes: Int) throws(ServingError) {
        let (held, whole) = (reservation.bytes, pool.bytes)
        guard bytes > held, held < whole else { return }
        try reservation.grow(by: min(whole, max(bytes, held + Self.step)) - held)
    }

    /// Takes from the budget what all of it needs.
    public func payInFull() throws(ServingError) { try pay(for: pool.bytes) }

    /// What the budget lends for `bytes` beside it; they have been logged and are there, or will be.
    func owe(_ bytes: Int) -> Reservation { pool.budget.owe(bytes) }

    /// Whether the daemon has memory enough to keep more of these than it needs.
    var isPoolAtEase: Bool { pool.isAtEase }
}

/// The buffers of one model that are free to be used again, and the promise that the next version will have one.
///
/// A push holds an arena of its own, which comes back when it has been applied. So one more is enough for the versions of
/// all pushes under way, however many they are: each leaves behind what the next one needs.
///
/// 1. A promise is kept once.
final class ArenaPool: MemoryStore {
    let count: Int
    let budget: MemoryBudget
    private let shelf = Locked(Shelf())

    private struct Free {
        let buffer: FloatBuffer
        let stamps: ArenaStamps?
        let reservation: Reservation
    }

    private struct Shelf {
        var free: [Free] = []
        /// Changes under way that make a version.
        var promises = 0
        /// How many free ones no one but a version may have.
        var kept: Int { promises > 0 ? 1 : 0 }
    }

    init(count: Int, budget: MemoryBudget) {
        self.count = count
        self.budget = budget
        budget.add(self)
    }

    deinit { budget.remove(self) }

    /// The size of one buffer.
    var bytes: Int { count * MemoryLayout<Float>.stride }

    /// Whether less than half of the budget is in use.
    var isAtEase: Bool { budget.reserved < budget.limit / 2 }

    /// A buffer with unspecified contents.
    ///
    /// One that held a version would save the next version a copy: it is taken only where memory is short.
    /// - Throws: `ServingError.outOfMemory` when none is free and the budget has no room for another; `noMemory`.
    func take() throws(ServingError) -> Arena {
        if let arena = takeFree({ $0.stamps == nil }) { return arena }
        guard !isAtEase, let arena = takeFree({ _ in true }) else { return try make() }
        arena.stamps = nil
        return arena
    }

    /// A buffer to be written from its start on, which is paid for as that goes on.
    func takeGrowing() throws(ServingError) -> Arena {
        if let arena = takeFree({ $0.stamps == nil }) { return arena }
        return Arena(buffer: try map(), stamps: nil, pool: self, reservation: try budget.reserve(0))
    }

    /// Sees to it that the version which a change is going to make has a buffer, until `keepPromise`.
    ///
    /// - Throws: `ServingError.outOfMemory` when none is free and the budget has no room for another; `noMemory`.
    func promise() throws(ServingError) {
        let hasOne = shelf.withLock { shelf in
            guard shelf.promises > 0 || !shelf.free.isEmpty else { return false }
            shelf.promises += 1
            return true
        }
        if hasOne { return }
        let reservation = try budget.reserve(bytes)
        let spare = Free(buffer: try map(), stamps: nil, reservation: reservation)
        shelf.withLock { shelf in
            shelf.free.append(spare)
            shelf.promises += 1
        }
    }

    /// The change has taken its buffer, or comes to nothing.
    func keepPromise() {
        shelf.withLock { shelf in
            invariant(shelf.promises > 0, "1: a promise is kept that was not given")
            shelf.promises = max(0, shelf.promises - 1)
        }
    }

    /// A buffer even when the budget is spent, for what a record says.
    ///
    /// - Throws: `noMemory`.
    func takeRegardless() throws(ServingError) -> Arena {
        if let arena = try? take() { return arena }
        return Arena(buffer: try map(), stamps: nil, pool: self, reservation: budget.owe(bytes))
    }

    /// A buffer for the next version, one that held an earlier version if there is one: with its stamps.
    func takeForVersion() -> Arena {
        takeFree(keeping: 0) { $0.stamps != nil } ?? takeFree(keeping: 0) { _ in true } ?? owed
    }

    /// A buffer that nothing was promised for: what has been logged must be applied.
    private var owed: Arena {
        if let arena = try? take() { return arena }
        return Arena(buffer: FloatBuffer(owed: count), stamps: nil, pool: self, reservation: budget.owe(bytes))
    }

    /// - Throws: `noMemory`.
    private func map() throws(ServingError) -> FloatBuffer {
        try wrapping { () throws(OptimizerError) in try FloatBuffer(count: count) }
    }

    /// Gives the free buffers back to the system, but for one that is promised.
    func releaseFree() {
        _ = shelf.withLock { shelf -> [Free] in
            let released = Array(shelf.free.dropFirst(shelf.kept))
            shelf.free = Array(shelf.free.prefix(shelf.kept))
            return released
        }
    }

    private func takeFree(keeping kept: Int? = nil, _ isWanted: (Free) -> Bool) -> Arena? {
        let found = shelf.withLock { shelf -> Free? in
            guard shelf.free.count > kept ?? shelf.kept else { return nil }
            return shelf.free.lastIndex(where: isWanted).map { shelf.free.remove(at: $0) }
        }
        return found.map { Arena(buffer: $0.buffer, stamps: $0.stamps, pool: self, reservation: $0.reservation) }
    }

    private func make() throws(ServingError) -> Arena {
        let reservation = try budget.reserve(bytes)
        return Arena(buffer: try map(), stamps: nil, pool: self, reservation: reservation)
    }

    fileprivate func takeBack(_ buffer: FloatBuffer, _ stamps: ArenaStamps?, _ reservation: Reservation) {
        // What was not paid for in full must not come back as if it were.
        guard reservation.bytes == bytes else { return }
        let returned = Free(buffer: buffer, stamps: stamps, reservation: reservation)
        // What is dropped is unmapped outside of the lock.
        _ = shelf.withLock { shelf -> Free? in
            shelf.free.append(returned)
            guard shelf.free.count > ServingConfiguration.spareArenas || isOverdrawn, shelf.free.count > shelf.kept
            else { return nil }
            // What held a version saves a copy; the rest only saves fresh pages.
            return shelf.free.remove(at: shelf.free.firstIndex { $0.stamps == nil } ?? 0)
        }
    }

    /// Whether more has been promised than there is: then nothing is kept for later.
    private var isOverdrawn: Bool { budget.reserved > budget.limit }
}
