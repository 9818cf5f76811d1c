// One number for the memory that requests can make the daemon use: models, bodies in flight, versions that slow readers
// pin. All of it asks here first, with products that cannot overflow, so that sixty bytes of JSON cannot allocate
// terabytes. Not counted: documents and receipts, which have limits of their own, and the copies that dry runs, `state`
// and sparse rows on their way make of what has been counted.

import Threading

/// The bytes that models and requests may use together.
public final class MemoryBudget: Sendable {
    /// The most that may be reserved at any time, in bytes.
    public let limit: Int
    private let used = Locked(0)

    /// Makes a budget of `limit` bytes.
    public init(limit: Int) {
        self.limit = limit
    }

    /// The bytes that are reserved now.
    public var reserved: Int { used.withLock { $0 } }

    /// Takes `bytes` from the budget.
    ///
    /// - Throws: `ServingError.outOfMemory` when less is left; nothing is taken then.
    public func reserve(_ bytes: Int) throws(ServingError) -> Reservation {
        let fits = used.withLock { used in
            guard bytes >= 0, bytes <= limit - used else { return false }
            used += bytes
            return true
        }
        guard fits else { throw .outOfMemory(needed: bytes, limit: limit) }
        return Reservation(bytes: bytes, budget: self)
    }

    fileprivate func release(_ bytes: Int) {
        used.withLock { $0 -= bytes }
    }
}

/// A part of the budget that is given back when the last reference goes.
public final class Reservation: Sendable {
    /// The reserved size in bytes.
    public let bytes: Int
    private let budget: MemoryBudget

    fileprivate init(bytes: Int, budget: MemoryBudget) {
        self.bytes = bytes
        self.budget = budget
    }

    deinit { budget.release(bytes) }
}
