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
        /// Seconds since 1970 of its last push or registration; 0 where a log of the first releases does not tell.
        var lastSeen = 0
        var entries: [Entry] = []

        /// What it takes, beside its place in the table.
        fileprivate var bytes: Int { EntryBytes.array(entries) }

        /// Lets go of the oldest receipts.
        mutating func forget(beyond window: Int) {
            let excess = entries.prefix(max(0, entries.count - window))
            forgottenThrough = excess.reduce(forgottenThrough) { max($0, $1.seq) }
            entries.removeFirst(excess.count)
        }
    }

    /// What is left of a worker that has made room: enough to tell which of its numbers were used.
    struct Expired: Equatable {
        var epoch: Int
        var lastSeq: Int
        var lastSeen: Int
    }

    /// Receipts kept per worker.
    let window: Int
    /// The most workers a model remembers with their receipts.
    let mostWorkers: Int
    /// How long, in seconds, a worker is not seen before it makes room for another.
    let lifetime: Int
    private(set) var workers: [Name: Worker] = [:]
    private(set) var expired: [Name: Expired] = [:]
    private(set) var inFlight: [PushKey: Fingerprint] = [:]
    /// Workers that admitted commands will expire.
    var leaving: Set<Name> = []
    /// No worker is old enough before this time.
    var nextExpiry = 0
    /// When the ledger was first asked for room: workers of unknown age count as seen then.
    var firstAsked: Int?
    /// What lists of receipts and long names take.
    private var listBytes = 0

    private static let workerBytes = EntryBytes.place(Name.self, Worker.self)
    private static let expiredBytes = EntryBytes.place(Name.self, Expired.self)
    /// A push under way takes its place in the table, and leaves a receipt.
    private static let pushBytes =
        EntryBytes.place(PushKey.self, Fingerprint.self) + MemoryLayout<Entry>.stride + Receipt.ratesWithin

    init(window: Int, mostWorkers: Int = 10_000, lifetime: Int = .max) {
        self.window = window
        self.mostWorkers = mostWorkers
        self.lifetime = lifetime
    }

    init(_ configuration: ServingConfiguration) {
        self.init(
            window: configuration.receiptWindow, mostWorkers: configuration.mostWorkers,
            lifetime: Int(configuration.workerLifetime.components.seconds))
    }

    /// What all of it takes, but for long lists of rates, which receipts share and account for themselves.
    var bytes: Int {
        listBytes + workers.count * Self.workerBytes + expired.count * Self.expiredBytes
            + inFlight.count * Self.pushBytes
    }

    /// What a worker takes more that is not among them yet.
    func bytesAdded(by name: Name) -> Int {
        workers[name] == nil ? Self.workerBytes + EntryBytes.text(name) : 0
    }

    /// The worker as it is known, be it by its numbers alone.
    private func known(_ name: Name) -> Worker? {
        workers[name]
            ?? expired[name].map {
                Worker(epoch: $0.epoch, lastSeq: $0.lastSeq, forgottenThrough: $0.lastSeq, lastSeen: $0.lastSeen)
            }
    }

    /// The registration that counts; 0 for a worker that never registered.
    func epoch(of name: Name) -> Int { known(name)?.epoch ?? 0 }

    /// The highest number that was applied in that epoch.
    func lastSeq(of name: Name) -> Int { known(name)?.lastSeq ?? 0 }

    /// What is known of `key`.
    ///
    /// - Throws: `fenced` for an epoch that is not the worker's current one, `receiptForgotten` for a number older than
    ///   the window, `tooManyWorkers` for a new worker beyond the limit that does not see another one off.
    func find(_ key: PushKey, _ sighting: Sighting? = nil) throws(ServingError) -> Finding {
        if let fingerprint = inFlight[key] { return .pending(fingerprint) }
        return try find(worker: key.worker, epoch: key.epoch, seq: key.seq, sighting)
    }

    private func find(
        worker name: Name, epoch: Int, seq: Int, _ sighting: Sighting?
    ) throws(ServingError) -> Finding {
        let gap = try gap(worker: name, epoch: epoch, before: seq)
        guard let worker = known(name), seq <= worker.lastSeq else {
            try checkRoom(for: name, sighting)
            return .new(gap: gap)
        }
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
        let worker = known(name) ?? Worker()
        if epoch != worker.epoch { throw .fenced(worker: name, epoch: epoch, current: worker.epoch) }
        return max(0, seq - worker.lastSeq - 1)
    }

    /// Marks `key` as logged.
    mutating func begin(_ key: PushKey, _ fingerprint: Fingerprint) {
        inFlight[key] = fingerprint
    }

    /// Expires a worker: its receipts go, what is left tells its numbers.
    mutating func expire(_ name: Name) {
        leaving.remove(name)
        guard let worker = workers.removeValue(forKey: name) else { return }
        listBytes -= worker.bytes
        expired[name] = Expired(epoch: worker.epoch, lastSeq: worker.lastSeq, lastSeen: worker.lastSeen)
        guard expired.count > ServingConfiguration.expiredWorkers else { return }
        let oldest = expired.min { ($0.value.lastSeen, $0.key) < ($1.value.lastSeen, $1.key) }
        guard let oldest else { return }
        expired[oldest.key] = nil
        listBytes -= EntryBytes.text(oldest.key)
    }

    /// Changes a worker in its place, for its receipts are many; one that is not there comes in.
    private mutating func change(_ name: Name, _ body: (inout Worker) -> Void) {
        if workers[name] == nil {
            if expired[name] == nil { listBytes += EntryBytes.text(name) }
            workers[name] = known(name) ?? Worker()
            expired[name] = nil
        }
        func change(_ worker: inout Worker) -> Int {
            let before = worker.bytes
            body(&worker)
            return worker.bytes - before
        }
        listBytes += change(&workers[name, default: Worker()])
    }

    /// Forgets that `key` is under way: its push came to nothing, and the key may be used again.
    mutating func abandon(_ key: PushKey) {
        inFlight[key] = nil
    }

    /// Stores the receipt of an applied push.
    mutating func finish(
        _ key: PushKey, _ fingerprint: Fingerprint, _ receipt: Receipt, seen sighting: Sighting? = nil
    ) {
        inFlight[key] = nil
        change(key.worker) { [window] worker in
            worker.lastSeen = max(worker.lastSeen, sighting?.time ?? 0)
            worker.lastSeq = max(worker.lastSeq, key.seq)
            worker.entries.append(Entry(seq: key.seq, fingerprint: fingerprint, receipt: receipt))
            worker.forget(beyond: window)
        }
    }

    /// Refuses a worker that is one too many.
    func checkRoom(for name: Name, _ sighting: Sighting? = nil) throws(ServingError) {
        guard workers[name] == nil, workers.count >= mostWorkers, sighting?.expires == nil else { return }
        throw .tooManyWorkers(limit: mostWorkers)
    }

    /// Refuses a worker whose receipts are not here.
    func checkKnown(_ name: Name) throws(ServingError) {
        if workers[name] == nil { throw .unknownWorker(name) }
    }

    /// Gives `name` a new epoch whose numbers start at 1.
    mutating func register(_ name: Name, seen sighting: Sighting? = nil) -> Int {
        change(name) { worker in
            worker = Worker(epoch: worker.epoch + 1, lastSeen: max(worker.lastSeen, sighting?.time ?? 0))
        }
        return epoch(of: name)
    }

    /// Puts back what a snapshot held; a window that has become smaller since holds at once.
    mutating func restore(workers: [Name: Worker], expired: [Name: Expired] = [:]) {
        (self.expired, leaving, nextExpiry) = (expired, [], 0)
        self.workers = workers.mapValues { worker in
            var worker = worker
            worker.forget(beyond: window)
            return worker
        }
        listBytes = self.workers.reduce(0) { $0 + $1.value.bytes + EntryBytes.text($1.key) }
        listBytes += expired.keys.reduce(0) { $0 + EntryBytes.text($1) }
    }

    /// Has receipts that were read share their rates and account for them.
    mutating func share(_ rates: inout SharedRates) {
        for name in Array(workers.keys) {
            change(name) { worker in
                for place in worker.entries.indices { rates.share(in: &worker.entries[place].receipt) }
            }
        }
    }
}
