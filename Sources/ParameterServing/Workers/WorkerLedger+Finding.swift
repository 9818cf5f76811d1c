// What the ledger knows of a worker and of a push: whether it was applied, may be pushed, or comes too late.

import Names

extension WorkerLedger {
    /// The ledger's information about a key.
    enum Finding: Equatable {
        /// Not seen: it may be pushed. `gap` numbers were skipped between the highest one applied and it; pushes in
        /// flight do not count, because a replay of the log cannot know them.
        case new(gap: Int)
        /// Applied before; the stored receipt.
        case applied(Receipt, Fingerprint)
        /// Logged, but not applied yet.
        case pending(Fingerprint)
    }

    /// The worker, even if only its numbers are known: then its epoch has ended, if it came from the counter.
    func known(_ name: Name) -> Worker? {
        workers[name]
            ?? expired[name].map {
                Worker(
                    epoch: $0.epoch, lastSeq: $0.lastSeq, forgottenThrough: $0.lastSeq, lastSeen: $0.lastSeen,
                    hasEnded: epochs.hasCounted($0.epoch))
            }
    }

    /// Its current epoch; 0 for a worker that never registered.
    func epoch(of name: Name) -> Int { known(name)?.epoch ?? 0 }

    /// The highest number applied in that epoch.
    func lastSeq(of name: Name) -> Int { known(name)?.lastSeq ?? 0 }

    /// The state of `key`.
    ///
    /// - Throws: `fenced` for an epoch that has ended or was never given, `receiptForgotten` for a number older than the
    ///   window, `tooManyWorkers` for a new worker beyond the limit that cannot replace another one.
    func find(_ key: PushKey, _ sighting: Sighting? = nil) throws(ServingError) -> Finding {
        if let fingerprint = inFlight[key] { return .pending(fingerprint) }
        return try find(worker: key.worker, epoch: key.epoch, seq: key.seq, sighting)
    }

    private func find(
        worker name: Name, epoch: Int, seq: Int, _ sighting: Sighting?
    ) throws(ServingError) -> Finding {
        let gap = try gap(worker: name, epoch: epoch, before: seq)
        if let entry = workers[name]?.entries.last(where: { $0.seq == seq }) {
            return .applied(entry.receipt, entry.fingerprint)
        }
        try checkEpoch(epoch, of: name)
        guard let worker = known(name), seq <= worker.lastSeq else {
            try checkRoom(for: name, sighting)
            return .new(gap: gap)
        }
        if seq > worker.forgottenThrough { return .new(gap: 0) }
        let oldest = worker.entries.map(\.seq).min()
        throw .receiptForgotten(worker: name, seq: seq, oldest: oldest, last: worker.lastSeq)
    }

    /// The state of a logged push: its gap, or the receipt if the log has the sequence number twice.
    ///
    /// Ignores window and limit, which are settings and may differ from the run that logged the push: an acknowledged
    /// push would be lost.
    ///
    /// - Throws: only `fenced`, which depends on the log.
    func findLogged(_ key: PushKey) throws(ServingError) -> Finding {
        let (name, epoch, seq) = (key.worker, key.epoch, key.seq)
        let gap = try gap(worker: name, epoch: epoch, before: seq)
        if let entry = workers[name]?.entries.last(where: { $0.seq == seq }) {
            return .applied(entry.receipt, entry.fingerprint)
        }
        if known(name)?.hasEnded ?? false {
            throw .fenced(worker: name, epoch: epoch, current: epoch, hasEnded: true)
        }
        return .new(gap: gap)
    }

    /// Refuses an epoch that accepts no more pushes: another one is current, its lease has run out, or its worker is
    /// forgotten.
    ///
    /// A push of a forgotten worker whose registration an earlier release logged is refused here and not by
    /// `findLogged`, because that release accepted it.
    func checkEpoch(_ epoch: Int, of name: Name) throws(ServingError) {
        let worker = known(name) ?? Worker()
        let hasEnded = worker.hasEnded || worker.epoch > 0 && workers[name] == nil
        guard epoch != worker.epoch || hasEnded else { return }
        throw .fenced(worker: name, epoch: epoch, current: worker.epoch, hasEnded: hasEnded)
    }

    /// The number of skipped numbers before `seq`.
    private func gap(worker name: Name, epoch: Int, before seq: Int) throws(ServingError) -> Int {
        let worker = known(name) ?? Worker()
        guard epoch == worker.epoch else {
            throw .fenced(worker: name, epoch: epoch, current: worker.epoch, hasEnded: worker.hasEnded)
        }
        return max(0, seq - worker.lastSeq - 1)
    }
}
