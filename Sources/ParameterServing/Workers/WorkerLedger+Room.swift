// Room for new workers: one whose lease has run out is replaced, or the one unseen for longest, if it is old enough. The
// choice is made when a command is admitted and logged with it, so that every replay follows the log.

import Names

extension WorkerLedger {
    /// The worker to be replaced by `name` now; nil if there is room, or no worker is old enough.
    ///
    /// A worker with a lease keeps its place until the lease runs out. A full table whose oldest worker is too young is
    /// not scanned again until that one may be old enough.
    mutating func roomMaker(for name: Name, at now: Int) -> Name? {
        let firstAsked = firstAsked ?? now
        self.firstAsked = firstAsked
        guard !hasRoom(for: name), now >= nextExpiry else { return nil }
        let busy = Set(inFlight.keys.lazy.map(\.worker))
        var oldest: (name: Name, seen: Int)?
        for (name, worker) in workers where !leaving.contains(name) && !busy.contains(name) && !worker.hasLease {
            let seen = worker.hasEnded ? .min : worker.lastSeen == 0 ? firstAsked : worker.lastSeen
            if let found = oldest, (found.seen, found.name) < (seen, name) { continue }
            oldest = (name, seen)
        }
        roomFrom = nil
        guard let oldest else {
            nextExpiry = now + 1
            return nil
        }
        if oldest.seen == .min { return oldest.name }
        let (end, overflow) = oldest.seen.addingReportingOverflow(lifetime)
        guard !overflow, now >= end else {
            nextExpiry = overflow ? .max : end
            roomFrom = nextExpiry
            return nil
        }
        return oldest.name
    }

    /// Refuses a worker beyond the limit.
    func checkRoom(for name: Name, _ sighting: Sighting? = nil) throws(ServingError) {
        guard hasRoom(for: name) || sighting?.expires != nil else { throw .tooManyWorkers(limit: mostWorkers) }
    }

    /// Whether the worker is known, or one more is within the limit.
    func hasRoom(for name: Name) -> Bool { workers[name] != nil || workers.count < mostWorkers }

    /// Refuses a worker without receipts.
    func checkKnown(_ name: Name) throws(ServingError) {
        if workers[name] == nil { throw .unknownWorker(name) }
    }

    /// Records that an admitted command will expire a worker.
    mutating func reserveRoom(_ sighting: Sighting?) {
        if let name = sighting?.expires { leaving.insert(name) }
    }

    /// Reverts that, for a command that could not be logged.
    mutating func leaveRoom(_ sighting: Sighting?) {
        guard let name = sighting?.expires else { return }
        leaving.remove(name)
        nextExpiry = 0
    }
}

extension WorkerLedger.Worker {
    /// Whether a lease holds its place.
    fileprivate var hasLease: Bool { ttl != nil && !hasEnded }
}

extension WorkerLedger {
    /// The remainder of a replaced worker: enough to tell which of its numbers were used.
    struct Expired: Equatable {
        var epoch: Int
        var lastSeq: Int
        var lastSeen: Int
    }

    /// The workers with a registration that has not ended, by name.
    var registered: [Name] { workers.filter(\.value.isRegistered).keys.sorted() }

    /// The workers that may push: they are registered, or have pushed without a registration; by name.
    var active: [Name] { workers.filter { !$0.value.hasEnded }.keys.sorted() }

    /// Whether the registration of a worker has not ended.
    func isRegistered(_ name: Name) -> Bool { workers[name]?.isRegistered ?? false }
}
