// Arenas are large, and all of a model have one size; touching new pages costs more than an update. So each model keeps
// a few free ones: a version's buffer returns here when its last reader releases it.

import Optimizers
import Threading

/// An arena-shaped buffer, borrowed from its model's pool.
///
/// Not synchronised: its owner fills it, values and stamps, before sharing it.
public final class Arena: @unchecked Sendable {
    /// The memory: one float32 per element of the layout, in update order.
    public let buffer: FloatBuffer
    /// The writes that produced its values; nil for contents that are not a version's.
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

    /// The parameters that its values are for.
    var placement: Placement { pool.placement }

    /// Whether it is for the parameters as a model has them now.
    func isPlaced(as now: ArenaPool) -> Bool { pool === now || pool.placement == now.placement }

    /// Takes over the values of the parameters, and of their rows, that both arenas have.
    func take(_ other: Arena) {
        let (old, new) = (other.placement, placement)
        for (index, place) in new.places.enumerated() {
            guard let source = old.index(of: place.definition.name),
                place.definition.shape.hasRows(of: old.places[source].definition.shape)
            else { continue }
            let (values, target) = (other.buffer[old.ranges[source]], buffer[new.ranges[index]])
            _ = target.update(fromContentsOf: values.prefix(target.count))
        }
    }

    /// The least that a payment adds, so that a body rarely asks the budget.
    private static let step = 1 << 20

    /// Pays for the first `bytes` written here; no page of the rest has been touched.
    ///
    /// - Throws: `ServingError.outOfMemory` if the budget has no room for it.
    public func pay(for bytes: Int) throws(ServingError) {
        let (held, whole) = (reservation.bytes, pool.bytes)
        guard bytes > held, held < whole else { return }
        try reservation.grow(by: min(whole, max(bytes, held + Self.step)) - held)
    }

    /// Pays for the whole arena.
    public func payInFull() throws(ServingError) { try pay(for: pool.bytes) }

    /// A loan for `bytes` in addition to the arena; they belong to a logged change and cannot be refused.
    func owe(_ bytes: Int) -> Reservation { pool.budget.owe(bytes) }

    /// Whether the daemon has enough memory to keep more of these than it needs.
    var isPoolAtEase: Bool { pool.isAtEase }
}

/// The free buffers of one model, and the guarantee that the next version gets one.
///
/// A push holds an arena of its own, which returns when the push has been applied. So one more arena is enough for the
/// versions of all pushes in progress, however many there are: each push leaves behind the one that the next needs.
/// Averages add one each to every version, and pulls may hold all earlier ones. A round adds one for its gradient: its
/// pushes leave theirs behind when it closes.
///
/// 1. A promise is kept at most once.
final class ArenaPool: MemoryStore {
    /// The parameters that the values are for; a model that grows gets another pool.
    let placement: Placement
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
        /// Changes in progress that make a version.
        var promises = 0
        /// The averages of each version.
        var averages = 0
        /// Whether gradients are reduced before an update, into a buffer of their own.
        var reduces = false
        /// The number of free buffers reserved for versions.
        var kept: Int { promises > 0 ? (reduces ? 2 : 1) + promises * averages : 0 }
    }

    /// Makes an empty pool.
    init(_ placement: Placement, budget: MemoryBudget) {
        (self.placement, count) = (placement, placement.count)
        self.budget = budget
        budget.add(self)
    }

    /// Follows the pool of another layout of the same model: what that one promised is owed here.
    func takePromises(of old: ArenaPool) {
        let (promises, averages, reduces) = old.shelf.withLock { shelf in
            defer { shelf.promises = 0 }
            return (shelf.promises, shelf.averages, shelf.reduces)
        }
        shelf.withLock { ($0.promises, $0.averages, $0.reduces) = (promises, averages, reduces) }
    }

    deinit { budget.remove(self) }

    /// The size of one buffer in bytes.
    var bytes: Int { count * MemoryLayout<Float>.stride }

    /// Whether less than half of the budget is in use.
    var isAtEase: Bool { budget.reserved < budget.limit / 2 }

    /// A buffer with unspecified contents.
    ///
    /// Avoids buffers that held a version, which save the next version a copy, unless memory is short.
    /// - Throws: `ServingError.outOfMemory` if none is free and the budget has no room for another; `noMemory`.
    func take() throws(ServingError) -> Arena {
        if let arena = takeFree({ $0.stamps == nil }) { return arena }
        guard !isAtEase, let arena = takeFree({ _ in true }) else { return try make() }
        arena.stamps = nil
        return arena
    }

    /// A buffer to be written from its start, paid for in steps.
    func takeGrowing() throws(ServingError) -> Arena {
        if let arena = takeFree({ $0.stamps == nil }) { return arena }
        return Arena(buffer: try map(), stamps: nil, pool: self, reservation: try budget.reserve(0))
    }

    /// Tells how many averages each version has from now on.
    func expect(averages: Int) { shelf.withLock { $0.averages = averages } }

    /// Tells whether updates reduce the gradients of a round from now on.
    func expect(reductions: Bool) { shelf.withLock { $0.reduces = reductions } }

    /// Ensures the buffers for the version that a change will make, until `keepPromise`.
    ///
    /// - Throws: `ServingError.outOfMemory` if they are not free and the budget has no room for others; `noMemory`.
    func promise() throws(ServingError) {
        let missing = shelf.withLock { shelf in
            shelf.promises += 1
            return shelf.kept - shelf.free.count
        }
        do throws(ServingError) {
            for _ in 0..<max(0, missing) {
                let reservation = try budget.reserve(bytes)
                let spare = Free(buffer: try map(), stamps: nil, reservation: reservation)
                shelf.withLock { $0.free.append(spare) }
            }
        } catch {
            keepPromise()
            throw error
        }
    }

    /// The change has taken its buffer, or has failed.
    func keepPromise() {
        shelf.withLock { shelf in
            invariant(shelf.promises > 0, "1: a promise is kept that was not given")
            shelf.promises = max(0, shelf.promises - 1)
        }
    }

    /// A buffer even if the budget is used up, for a logged record.
    ///
    /// - Throws: `noMemory`.
    func takeRegardless() throws(ServingError) -> Arena {
        if let arena = try? take() { return arena }
        return Arena(buffer: try map(), stamps: nil, pool: self, reservation: budget.owe(bytes))
    }

    /// A buffer for the next version, if possible one that held an earlier version, with its stamps.
    func takeForVersion() -> Arena {
        takeFree(keeping: 0) { $0.stamps != nil } ?? takeFree(keeping: 0) { _ in true } ?? takeOwed()
    }

    /// A buffer for an average in the next version, or for the gradient of a round; leaves those that held a version to
    /// the parameters.
    func takePromised() -> Arena {
        let arena = takeFree(keeping: 0) { $0.stamps == nil } ?? takeFree(keeping: 0) { _ in true } ?? takeOwed()
        arena.stamps = nil
        return arena
    }

    /// A buffer that was not promised: a logged change must be applied.
    func takeOwed() -> Arena {
        if let arena = try? take() { return arena }
        return Arena(buffer: FloatBuffer(owed: count), stamps: nil, pool: self, reservation: budget.owe(bytes))
    }

    /// - Throws: `noMemory`.
    private func map() throws(ServingError) -> FloatBuffer {
        try wrapping { () throws(OptimizerError) in try FloatBuffer(count: count) }
    }

    /// Returns the free buffers to the system, except for one that is promised.
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
        // A buffer that was not paid in full must not be returned as if it were.
        guard reservation.bytes == bytes else { return }
        let returned = Free(buffer: buffer, stamps: stamps, reservation: reservation)
        // Dropped buffers are unmapped outside the lock.
        _ = shelf.withLock { shelf -> Free? in
            shelf.free.append(returned)
            let spares = ServingConfiguration.spareArenas + shelf.averages
            guard shelf.free.count > spares || isOverdrawn, shelf.free.count > shelf.kept else { return nil }
            // A buffer that held a version saves a copy; others only save new pages.
            return shelf.free.remove(at: shelf.free.firstIndex { $0.stamps == nil } ?? 0)
        }
    }

    /// Whether more has been promised than exists: then nothing is kept for later.
    private var isOverdrawn: Bool { budget.reserved > budget.limit }
}
