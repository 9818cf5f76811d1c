// Workers that register, renew their leases, and leave: by deletion, because the lease runs out, or because another
// worker takes their place.

import Names
import Threading

extension ModelState {
    /// Carries out a registration.
    mutating func register(_ registration: Registration, seen sighting: Sighting?) -> StoredAnswer {
        if let expired = sighting?.expires { forget(expired, because: .replaced) }
        let lastSeq = ledger.lastSeq(of: registration.worker)
        let former = ledger.epoch(of: registration.worker)
        let epoch = ledger.register(registration, seen: sighting)
        announce(.workerJoined(registration.worker, epoch: epoch))
        // An earlier process of the worker may still wait.
        emit(.endEpoch(former, of: registration.worker))
        emit(.startLease(registration.worker))
        followPolicy(mayClose: false)
        return .registered(epoch: epoch, lastSeq: lastSeq)
    }

    /// Drops a worker's receipts and ends its registration; its numbers stay known.
    mutating func forget(_ worker: Name, because reason: ModelEvent.Departure) {
        let known = ledger.workers[worker]
        ledger.expire(worker)
        guard let known else { return }
        workerLeft(worker, epoch: known.epoch, because: reason, wasRegistered: known.isRegistered)
        followPolicy()
    }

    /// Releases what a worker holds in the model: its registration has ended, or it is forgotten.
    private mutating func workerLeft(
        _ worker: Name, epoch: Int, because reason: ModelEvent.Departure, wasRegistered: Bool
    ) {
        leases.remove(worker)
        announce(.workerLeft(worker, epoch: epoch, because: reason))
        emit(.endEpoch(epoch, of: worker))
        if let rule = clockRule { clocks.leave(worker, wasRegistered: wasRegistered, of: rule.workers) }
    }

    /// The refusal of an epoch that has ended.
    func fence(_ epoch: Int, of worker: Name) -> ServingError {
        let hasEnded = !ledger.isRegistered(worker)
        return .fenced(worker: worker, epoch: epoch, current: ledger.epoch(of: worker), hasEnded: hasEnded)
    }

    // MARK: Registrations in progress

    /// Whether a worker is registered once everything in progress has been applied.
    func willBeRegistered(_ worker: Name) -> Bool {
        let (isChange, epoch) = forecast.change(of: worker)
        return isChange ? epoch != nil : ledger.isRegistered(worker)
    }

    /// Whether the end of a lease will end a registration: no command in progress has ended it before.
    func willEnd(_ lease: EndedLease) -> Bool {
        !forecast.change(of: lease.worker).isChange && ledger.isRegistered(lease.worker)
            && ledger.epoch(of: lease.worker) == lease.epoch
    }

    /// Judges a registration, and notes it for the pushes that are decided before it is applied.
    mutating func examine(_ registration: Registration, _ sighting: Sighting?) throws(ServingError) {
        try ledger.checkRoom(for: registration.worker, sighting)
        let isNew = !willBeRegistered(registration.worker)
        try checkPushes(afterRegistering: isNew)
        ledger.reserveRoom(sighting)
        forecast.add(
            registrationOf: registration.worker, epoch: ledger.epochs.last + forecast.registrations + 1,
            isNew: isNew, after: roundView)
    }

    /// Refuses a push of an epoch whose end is on its way to the log: it would be refused after it, and the pushes of
    /// others would have counted on it.
    func checkFence(_ key: PushKey?) throws(ServingError) {
        guard let key, case (true, let epoch) = forecast.change(of: key.worker) else { return }
        throw .fenced(worker: key.worker, epoch: key.epoch, current: epoch ?? key.epoch, hasEnded: epoch == nil)
    }

    /// The seconds until a worker may make room for a new one: it is old enough, or its lease runs out.
    ///
    /// Workers that the last search skipped are pushing at that time, so they are the youngest.
    func secondsToRoom(at now: Tick) -> Int {
        let age = ledger.roomFrom.map { $0 - now.time } ?? ledger.lifetime
        let lease = leases.next.map { Int(($0 - min($0, now.uptime)) / 1_000_000_000) + 1 } ?? .max
        return max(1, min(age, lease))
    }

    // MARK: Leases

    /// Lets all leases run for their full time at the start of the model, because no worker could renew one before.
    mutating func startLeases(at now: Tick) {
        for worker in ledger.registered { startLease(of: worker, at: now) }
    }

    /// Starts the lease of a worker that has registered, if it has one.
    mutating func startLease(of worker: Name, at now: Tick) {
        leases.remove(worker)
        defer { kept.follow(keptBytes) }
        guard let found = ledger.workers[worker], found.isRegistered, let ttl = found.ttl else { return }
        leases.start(worker, epoch: found.epoch, ttl: ttl, at: now)
    }

    /// Ends the registrations whose leases have run out; thousands may end in one record.
    mutating func end(_ ended: [EndedLease]) {
        for lease in ended where ledger.end(lease) {
            workerLeft(lease.worker, epoch: lease.epoch, because: .expired, wasRegistered: true)
        }
        followPolicy()
    }

    /// The command that ends the leases that have run out; nil if there are none.
    mutating func endOfLeases(at now: Tick) -> Command? {
        let due = leases.due(at: now)
        return due.isEmpty ? nil : .endLeases(due)
    }

    /// Renews the lease of a worker that has been heard from; not one whose end is being logged.
    ///
    /// - Parameters:
    ///   - worker: its name.
    ///   - epoch: its registration; nil for the current one.
    ///   - now: the time.
    /// - Throws: `fenced` for a registration that has ended, `unknownWorker` if no epoch is given and the worker is not
    ///   known.
    mutating func renewLease(of worker: Name, epoch: Int?, at now: Tick) throws(ServingError) -> WorkerFacts {
        let epoch = epoch ?? ledger.epoch(of: worker)
        if epoch == 0 { try ledger.checkKnown(worker) }
        try ledger.checkEpoch(epoch, of: worker)
        // A model that stops does not wait until the end of the lease has been applied.
        guard !leases.isEnding(worker) else {
            throw .fenced(worker: worker, epoch: epoch, current: ledger.epoch(of: worker), hasEnded: true)
        }
        leases.renew(worker, epoch: epoch, at: now)
        guard let facts = facts(of: worker, at: now) else { throw .unknownWorker(worker) }
        return facts
    }

    /// The facts about a worker whose receipts are kept; nil for others.
    func facts(of worker: Name, at now: Tick) -> WorkerFacts? {
        guard let found = ledger.workers[worker] else { return nil }
        let times = leases.times(of: worker, at: now)
        let seen = found.lastSeen == 0 ? nil : max(0, now.time - found.lastSeen)
        return WorkerFacts(
            epoch: found.epoch, lastSeq: found.lastSeq, isRegistered: found.isRegistered,
            ttl: found.ttl.map { .milliseconds($0) }, expiresIn: times.map { .nanoseconds(Int64($0.left)) },
            age: times.map { .nanoseconds(Int64($0.age)) } ?? seen.map { .seconds($0) })
    }
}
