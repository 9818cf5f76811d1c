// Exactly once: the table of what each worker has pushed. A key passes three stages: unknown, in flight (in the
// journal, not yet applied) and applied (its receipt is here). Only the model's executor touches the table.

import Names

/// The pushes that a model remembers, by worker.
struct WorkerLedger {
    /// What the ledger knows of a key.
    enum Finding: Equatable {
        /// Not seen: it may be pushed. `gap` numbers were left out between the highest one applied and it; what is only
        /// under way does not count, for a replay of the log could not know of it.
        case new(gap: Int)
        /// Applied before; the stored receipt.
        case applied(Receipt, Fingerprint)
        /// Logged, not applied yet.
        case pending(Fingerprint)
    }

    /// A receipt with what identifies its push.
    struct Entry: Equatable {
        var seq: Int
        var fingerprint: Fingerprint
        var receipt: Receipt
    }

    /// One worker's recent history.
    struct Worker: Equatable {
        var epoch = 0
        var lastSeq = 0
        /// The highest number whose receipt has left the window: from here down nothing is known.
        var forgottenThrough = 0
        var entries: [Entry] = []

        /// Lets go of the oldest receipts.
        mutating func forget(beyond window: Int) {
            let excess = entries.prefix(max(0, entries.count - window))
            forgottenThrough = excess.reduce(forgottenThrough) { max($0, $1.seq) }
            entries.removeFirst(excess.count)
        }
    }

    /// Receipts kept per worker.
    let window: Int
    /// The most workers a model remembers.
    let mostWorkers: Int
    private(set) var workers: [Name: Worker] = [:]
    private var inFlight: [PushKey: Fingerprint] = [:]

    init(window: Int, mostWorkers: Int = ServingConfiguration.mostWorkers) {
        self.window = window
        self.mostWorkers = mostWorkers
    }

    /// What is known of `key`.
    ///
    /// - Throws: `fenced` for an epoch that is not the worker's current one, `receiptForgotten` for a number older than
    ///   the window, `tooManyWorkers` for a new worker beyond the limit.
    func find(_ key: PushKey) throws(ServingError) -> Finding {
        if let fingerprint = inFlight[key] { return .pending(fingerprint) }
        return try find(worker: key.worker, epoch: key.epoch, seq: key.seq)
    }

    private func find(worker name: Name, epoch: Int, seq: Int) throws(ServingError) -> Finding {
        let gap = try gap(worker: name, epoch: epoch, before: seq)
        guard let worker = workers[name] else {
            try checkRoom(for: name)
            return .new(gap: gap)
        }
        if seq > worker.lastSeq { return .new(gap: gap) }
        if let entry = worker.entries.last(where: { $0.seq == seq }) {
            return .applied(entry.receipt, entry.fingerprint)
        }
        if seq > worker.forgottenThrough { return .new(gap: 0) }
        throw .receiptForgotten(worker: name, seq: seq, oldest: worker.forgottenThrough + 1)
    }

    /// What a push that has been logged finds: its gap, or the receipt where a sequence number is in the log twice.
    ///
    /// Knows no window and no limit, which are settings and may differ from the run that logged the push: what it
    /// acknowledged would be lost.
    ///
    /// - Throws: `fenced` alone, which the log decides.
    func findLogged(_ key: PushKey) throws(ServingError) -> Finding {
        let (name, epoch, seq) = (key.worker, key.epoch, key.seq)
        let gap = try gap(worker: name, epoch: epoch, before: seq)
        if let entry = workers[name]?.entries.last(where: { $0.seq == seq }) {
            return .applied(entry.receipt, entry.fingerprint)
        }
        return .new(gap: gap)
    }

    /// How many numbers were left out before `seq`.
    private func gap(worker name: Name, epoch: Int, before seq: Int) throws(ServingError) -> Int {
        let worker = workers[name] ?? Worker()
        if epoch != worker.epoch { throw .fenced(worker: name, epoch: epoch, current: worker.epoch) }
        return max(0, seq - worker.lastSeq - 1)
    }

    /// Marks `key` as logged.
    mutating func begin(_ key: PushKey, _ fingerprint: Fingerprint) {
        inFlight[key] = fingerprint
    }

    /// Forgets that `key` is under way: its push came to nothing, and the key may be used again.
    mutating func abandon(_ key: PushKey) {
        inFlight[key] = nil
    }

    /// Stores the receipt of an applied push.
    mutating func finish(_ key: PushKey, _ fingerprint: Fingerprint, _ receipt: Receipt) {
        inFlight[key] = nil
        var worker = workers[key.worker] ?? Worker()
        worker.lastSeq = max(worker.lastSeq, key.seq)
        worker.entries.append(Entry(seq: key.seq, fingerprint: fingerprint, receipt: receipt))
        worker.forget(beyond: window)
        workers[key.worker] = worker
    }

    /// Refuses a worker that is one too many.
    func checkRoom(for name: Name) throws(ServingError) {
        if workers[name] == nil, workers.count >= mostWorkers { throw .tooManyWorkers(limit: mostWorkers) }
    }

    /// Gives `name` a new epoch whose numbers start at 1.
    mutating func register(_ name: Name) -> Int {
        let epoch = (workers[name]?.epoch ?? 0) + 1
        workers[name] = Worker(epoch: epoch)
        return epoch
    }

    /// Puts back what a snapshot held; a window that has become smaller since holds at once.
    mutating func restore(workers: [Name: Worker]) {
        self.workers = workers.mapValues { worker in
            var worker = worker
            worker.forget(beyond: window)
            return worker
        }
    }
}
