// Room for new workers: the one unseen for longest is replaced, if it is old enough. The choice is made when a command
// is admitted and logged with it, so that every replay follows the log.

import Names

extension WorkerLedger {
    /// The worker to be replaced by `name` now; nil if there is room, or no worker is old enough.
    ///
    /// A full table whose oldest worker is too young is not scanned again until that one may be old enough.
    mutating func roomMaker(for name: Name, at now: Int) -> Name? {
        let firstAsked = firstAsked ?? now
        self.firstAsked = firstAsked
        guard workers[name] == nil, workers.count >= mostWorkers, now >= nextExpiry else { return nil }
        let busy = Set(inFlight.keys.lazy.map(\.worker))
        var oldest: (name: Name, seen: Int)?
        for (name, worker) in workers where !leaving.contains(name) && !busy.contains(name) {
            let seen = worker.lastSeen == 0 ? firstAsked : worker.lastSeen
            if let found = oldest, (found.seen, found.name) < (seen, name) { continue }
            oldest = (name, seen)
        }
        guard let oldest else { return nil }
        let (end, overflow) = oldest.seen.addingReportingOverflow(lifetime)
        guard !overflow, now >= end else {
            nextExpiry = overflow ? .max : end
            return nil
        }
        return oldest.name
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
