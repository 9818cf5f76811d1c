// One limit for the memory that requests can make the daemon use: models, bodies and documents in transit, answers that
// slow readers have not read, versions that they pin, copies of slots. All of it is requested here first, with
// overflow-checked products, so that sixty bytes of JSON cannot allocate terabytes.

import Threading

/// Keeps memory for later and returns it if others need it.
protocol MemoryStore: AnyObject, Sendable {
    /// Returns memory that is not in use.
    func releaseFree()
}

/// The limit in bytes for models and requests together.
///
/// 1. No one returns more than was taken.
/// 2. When a daemon ends, everything has been returned.
/// 3. A reservation that shrinks returns only what it holds beyond its new size.
public final class MemoryBudget: Sendable {
    /// The most bytes that may be reserved at any time.
    public let limit: Int
    private let used = Locked(0)
    private let stores = Locked([ObjectIdentifier: WeakStore]())

    private struct WeakStore: Sendable {
        weak var store: (any MemoryStore)?
    }

    /// Makes a budget of `limit` bytes.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The bytes that are reserved now.
    public var reserved: Int { used.withLock { $0 } }

    /// Ends the budget, after the end of everything that takes memory from it.
    func end() {
        let left = reserved
        invariant(left == 0, "2: \(left) bytes are still taken")
    }

    /// Takes `bytes` from the budget.
    ///
    /// - Throws: `ServingError.outOfMemory` if less is left; nothing is taken then.
    public func reserve(_ bytes: Int) throws(ServingError) -> Reservation {
        try take(bytes)
        return Reservation(bytes: bytes, budget: self)
    }

    /// Takes `bytes` even if they are not left: for promised memory that can no longer be refused.
    ///
    /// Later requests are refused until that much has been returned.
    public func owe(_ bytes: Int) -> Reservation {
        force(bytes)
        return Reservation(bytes: bytes, budget: self)
    }

    /// Registers `store` to return what it keeps when a request would otherwise be refused.
    func add(_ store: any MemoryStore) {
        stores.withLock { $0[ObjectIdentifier(store)] = WeakStore(store: store) }
    }

    /// Unregisters `store`, when it ends.
    func remove(_ store: any MemoryStore) { stores.withLock { $0[ObjectIdentifier(store)] = nil } }

    fileprivate func take(_ bytes: Int) throws(ServingError) {
        if fits(bytes) { return }
        // The stores take their own locks, so no lock is held while they release memory.
        for store in stores.withLock({ $0.values }) { store.store?.releaseFree() }
        guard fits(bytes) else { throw .outOfMemory(needed: bytes, limit: limit) }
    }

    private func fits(_ bytes: Int) -> Bool {
        used.withLock { used in
            guard bytes >= 0, bytes <= limit - used else { return false }
            used += bytes
            return true
        }
    }

    fileprivate func force(_ bytes: Int) {
        used.withLock { $0 += bytes }
    }

    fileprivate func release(_ bytes: Int) {
        used.withLock { used in
            invariant(bytes <= used, "1: \(bytes) bytes returned of \(used)")
            used -= bytes
        }
    }
}

/// A part of the budget, returned when the last reference is released.
public final class Reservation: Sendable {
    private let held: Locked<Int>
    private let budget: MemoryBudget

    fileprivate init(bytes: Int, budget: MemoryBudget) {
        held = Locked(bytes)
        self.budget = budget
    }

    deinit { budget.release(bytes) }

    /// The reserved size in bytes.
    public var bytes: Int { held.withLock { $0 } }

    /// Takes `more` bytes.
    ///
    /// Called by one thread at a time.
    ///
    /// - Throws: `ServingError.outOfMemory` if less is left; the reservation is then unchanged.
    public func grow(by more: Int) throws(ServingError) {
        do throws(ServingError) { try budget.take(more) } catch {
            throw .outOfMemory(needed: bytes + more, limit: budget.limit)
        }
        held.withLock { $0 += more }
    }

    /// Takes `more` bytes even if they are not left; see `MemoryBudget.owe`.
    func owe(_ more: Int) {
        budget.force(more)
        held.withLock { $0 += more }
    }

    /// Returns everything beyond `bytes`.
    public func shrink(to bytes: Int) {
        budget.release(
            held.withLock { held in
                invariant(bytes <= held, "3: \(bytes) bytes stay of \(held)")
                let surplus = max(0, held - bytes)
                held -= surplus
                return surplus
            })
    }
}
