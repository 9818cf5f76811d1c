// When the leases of a model run out. The times are in memory only, because a heartbeat is not worth a record: what is
// logged is the end of a lease. After a start each lease runs for its full time again.

import Names
import Threading

/// The deadlines of a model's leases.
///
/// Used by the thread of its model. Deadlines only move away while a lease is renewed, so that the earliest one is
/// searched for when it may have passed, and not at each renewal.
struct LeaseClock {
    private struct Lease {
        let epoch: Int
        /// The length in nanoseconds.
        let length: UInt64
        var deadline: UInt64
        /// Whether the record of its end is being logged.
        var isEnding = false
    }

    private static let leaseBytes = EntryBytes.place(Name.self, Lease.self)

    private var leases: [Name: Lease] = [:]
    /// No lease runs out before this time; nil if there is none.
    private(set) var next: UInt64?

    /// The size of the deadlines in memory; the names belong to the workers.
    var bytes: Int { leases.count * Self.leaseBytes }

    /// The additional size of a lease.
    func bytesAdded(by registration: Registration) -> Int {
        registration.ttl == nil || leases[registration.worker] != nil ? 0 : Self.leaseBytes
    }

    /// Starts the lease of a registration, in place of an earlier one.
    mutating func start(_ worker: Name, epoch: Int, ttl: Int, at now: Tick) {
        let length = UInt64(ttl) * 1_000_000
        let deadline = now.uptime + length
        leases[worker] = Lease(epoch: epoch, length: length, deadline: deadline)
        next = min(next ?? deadline, deadline)
    }

    /// Renews the lease of that epoch; no change without such a lease, or if it is ending.
    mutating func renew(_ worker: Name, epoch: Int, at now: Tick) {
        guard let lease = leases[worker], lease.epoch == epoch, !lease.isEnding else { return }
        leases[worker]?.deadline = now.uptime + lease.length
    }

    /// Removes the lease of a worker that has left, or that has registered without one.
    mutating func remove(_ worker: Name) {
        leases[worker] = nil
        if leases.isEmpty { next = nil }
    }

    /// The leases that have run out, by name.
    mutating func due(at now: Tick) -> [EndedLease] {
        guard let next, next <= now.uptime else { return [] }
        findNext()
        return leases.filter { !$0.value.isEnding && $0.value.deadline <= now.uptime }.sorted { $0.key < $1.key }
            .map { EndedLease(worker: $0.key, epoch: $0.value.epoch) }
    }

    /// Marks those of the leases that have still run out: their end is about to be logged.
    mutating func end(_ ended: [EndedLease], at now: Tick) -> [EndedLease] {
        let due = ended.filter { lease in
            guard let found = leases[lease.worker], found.epoch == lease.epoch, !found.isEnding else { return false }
            return found.deadline <= now.uptime
        }
        for lease in due { leases[lease.worker]?.isEnding = true }
        findNext()
        return due
    }

    private mutating func findNext() { next = leases.values.lazy.filter { !$0.isEnding }.map(\.deadline).min() }

    /// Reverts that, for a record that could not be logged: the leases run for their time again.
    mutating func resume(_ ended: [EndedLease]) {
        for lease in ended {
            guard let found = leases[lease.worker], found.epoch == lease.epoch, found.isEnding else { continue }
            let deadline = found.deadline + found.length
            leases[lease.worker]?.isEnding = false
            leases[lease.worker]?.deadline = deadline
            next = min(next ?? deadline, deadline)
        }
    }

    /// Whether the worker's lease is ending: it is too late to renew it.
    func isEnding(_ worker: Name) -> Bool { leases[worker]?.isEnding ?? false }

    /// The nanoseconds until a lease runs out, and since its last renewal; nil without a lease.
    func times(of worker: Name, at now: Tick) -> (left: UInt64, age: UInt64)? {
        guard let lease = leases[worker] else { return nil }
        let left = lease.deadline > now.uptime ? lease.deadline - now.uptime : 0
        return (left, lease.length > left ? lease.length - left : 0)
    }
}
