// Exactly once: the table of what each worker has pushed. A key passes three stages: unknown, in flight (in the
// journal, not yet applied) and applied (its receipt is here). Only the model's executor touches the table.

/// The pushes that a model remembers, by worker and by token.
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
    }

    /// Receipts kept per worker, and tokens kept per model.
    let window: Int
    /// The most workers a model remembers.
    let mostWorkers: Int
    private(set) var workers: [String: Worker] = [:]
    private(set) var tokens: [(token: String, entry: Entry)] = []
    private var inFlight: [PushKey: Fingerprint] = [:]

    init(window: Int, mostWorkers: Int = 10_000) {
        self.window = window
        self.mostWorkers = mostWorkers
    }

    /// What is known of `key`.
    ///
    /// - Throws: `fenced` for an epoch that is not the worker's current one, `receiptForgotten` for a number older than
    ///   the window, `tooManyWorkers` for a new worker beyond the limit.
    func find(_ key: PushKey) throws(ServingError) -> Finding {
        if let fingerprint = inFlight[key] { return .pending(fingerprint) }
        switch key {
        case .token(let token):
            guard let known = tokens.last(where: { $0.token == token }) else { return .new(gap: 0) }
            return .applied(known.entry.receipt, known.entry.fingerprint)
        case .sequence(let name, let epoch, let seq):
            return try find(worker: name, epoch: epoch, seq: seq)
        }
    }

    private func find(worker name: String, epoch: Int, seq: Int) throws(ServingError) -> Finding {
        guard let worker = workers[name] else {
            if epoch != 0 { throw .fenced(worker: name, epoch: epoch, current: 0) }
            if workers.count >= mostWorkers { throw .tooManyWorkers(limit: mostWorkers) }
            return .new(gap: seq - 1)
        }
        if epoch != worker.epoch { throw .fenced(worker: name, epoch: epoch, current: worker.epoch) }
        if seq > worker.lastSeq { return .new(gap: seq - worker.lastSeq - 1) }
        if let entry = worker.entries.last(where: { $0.seq == seq }) {
            return .applied(entry.receipt, entry.fingerprint)
        }
        if seq > worker.forgottenThrough { return .new(gap: 0) }
        throw .receiptForgotten(worker: name, seq: seq, oldest: worker.forgottenThrough + 1)
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
        switch key {
        case .token(let token):
            tokens.append((token, Entry(seq: 0, fingerprint: fingerprint, receipt: receipt)))
            if tokens.count > window { tokens.removeFirst() }
        case .sequence(let name, _, let seq):
            var worker = workers[name] ?? Worker()
            worker.lastSeq = max(worker.lastSeq, seq)
            worker.entries.append(Entry(seq: seq, fingerprint: fingerprint, receipt: receipt))
            if worker.entries.count > window {
                worker.forgottenThrough = max(worker.forgottenThrough, worker.entries.removeFirst().seq)
            }
            workers[name] = worker
        }
    }

    /// Gives `name` a new epoch whose numbers start at 1.
    mutating func register(_ name: String) throws(ServingError) -> Int {
        if workers[name] == nil, workers.count >= mostWorkers { throw .tooManyWorkers(limit: mostWorkers) }
        let epoch = (workers[name]?.epoch ?? 0) + 1
        workers[name] = Worker(epoch: epoch)
        return epoch
    }

    /// Puts back what a snapshot held.
    mutating func restore(workers: [String: Worker], tokens: [(token: String, entry: Entry)]) {
        self.workers = workers
        self.tokens = tokens
    }
}
