// Exactly once: the table of each worker's pushes. A key passes three stages: unknown, in flight (logged, not applied)
// and applied (its receipt is here). Only the model's executor uses the table.

import Names

/// The remembered pushes of a model, by worker.
struct WorkerLedger {
    /// A receipt and the identity of its push.
    struct Entry: Equatable {
        var seq: Int
        var fingerprint: Fingerprint
        var receipt: Receipt
    }

    /// One worker's recent history.
    struct Worker: Equatable {
        var epoch = 0
        var lastSeq = 0
        /// The highest number whose receipt has left the window: nothing is known about it and all lower numbers.
        var forgottenThrough = 0
        /// Seconds since 1970 of its last push or registration; 0 if a log of the first releases does not say.
        var lastSeen = 0
        /// The length of its lease in milliseconds; nil without one.
        var ttl: Int?
        /// Whether its lease has run out: its epoch accepts no more pushes, and its receipts stay readable.
        var hasEnded = false
        var entries: [Entry] = []

        /// Whether it has a registration that has not ended.
        var isRegistered: Bool { epoch > 0 && !hasEnded }

        /// Its size, in addition to its place in the table.
        fileprivate var bytes: Int { EntryBytes.array(entries) }

        /// Drops the oldest receipts.
        mutating func forget(beyond window: Int) {
            let excess = entries.prefix(max(0, entries.count - window))
            forgottenThrough = excess.reduce(forgottenThrough) { max($0, $1.seq) }
            entries.removeFirst(excess.count)
        }
    }

    /// Receipts kept per worker.
    let window: Int
    /// The most workers whose receipts are kept.
    let mostWorkers: Int
    /// The time in seconds after which an unseen worker may be replaced.
    let lifetime: Int
    private(set) var workers: [Name: Worker] = [:]
    private(set) var expired: [Name: Expired] = [:]
    /// The epochs given so far.
    var epochs = EpochCounter()
    private(set) var inFlight: [PushKey: Fingerprint] = [:]
    /// Workers that admitted commands will expire.
    var leaving: Set<Name> = []
    /// No worker is old enough before this time.
    var nextExpiry = 0
    /// When the oldest worker without a lease is old enough, by the last search for room; nil if it found none.
    var roomFrom: Int?
    /// When the ledger first needed room: workers of unknown age count as seen then.
    var firstAsked: Int?
    /// The number of workers with a registration that has not ended.
    private(set) var registeredCount = 0
    /// The size of lists of receipts and long names.
    private var listBytes = 0

    private static let workerBytes = EntryBytes.place(Name.self, Worker.self)
    private static let expiredBytes = EntryBytes.place(Name.self, Expired.self)
    /// A push in flight needs its place in the table and leaves a receipt.
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

    /// The size of everything except long lists of rates, which receipts share and account for.
    var bytes: Int {
        listBytes + workers.count * Self.workerBytes + expired.count * Self.expiredBytes
            + inFlight.count * Self.pushBytes
    }

    /// The additional size of a new worker.
    func bytesAdded(by name: Name) -> Int {
        workers[name] == nil ? Self.workerBytes + EntryBytes.text(name) : 0
    }

    /// Marks `key` as logged.
    mutating func begin(_ key: PushKey, _ fingerprint: Fingerprint) {
        inFlight[key] = fingerprint
    }

    /// Expires a worker: drops its receipts and keeps its numbers.
    mutating func expire(_ name: Name) {
        leaving.remove(name)
        guard let worker = workers.removeValue(forKey: name) else { return }
        listBytes -= worker.bytes
        if worker.isRegistered { registeredCount -= 1 }
        expired[name] = Expired(epoch: worker.epoch, lastSeq: worker.lastSeq, lastSeen: worker.lastSeen)
        guard expired.count > ServingConfiguration.expiredWorkers else { return }
        let oldest = expired.min { ($0.value.lastSeen, $0.key) < ($1.value.lastSeen, $1.key) }
        guard let oldest else { return }
        expired[oldest.key] = nil
        listBytes -= EntryBytes.text(oldest.key)
    }

    /// Changes a worker in place, without a copy of its receipts; adds a worker that is not there.
    mutating func change(_ name: Name, _ body: (inout Worker) -> Void) {
        let wasRegistered = isRegistered(name)
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
        registeredCount += (isRegistered(name) ? 1 : 0) - (wasRegistered ? 1 : 0)
    }

    /// Removes the mark of `key`: its push failed, and the key may be used again.
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

    /// Replaces the receipt of a push whose round has been settled; nothing if it has left the window.
    mutating func replace(_ key: PushKey, with receipt: Receipt) {
        guard workers[key.worker]?.epoch == key.epoch else { return }
        change(key.worker) { worker in
            guard let place = worker.entries.lastIndex(where: { $0.seq == key.seq }) else { return }
            worker.entries[place].receipt = receipt
        }
    }

    /// Starts a new epoch of a worker, with numbers from 1.
    mutating func register(_ registration: Registration, seen sighting: Sighting? = nil) -> Int {
        let name = registration.worker
        let epoch = registration.isCounted ? epochs.next() : epoch(of: name) + 1
        epochs.note(epoch)
        change(name) { worker in
            worker = Worker(
                epoch: epoch, lastSeen: max(worker.lastSeen, sighting?.time ?? 0), ttl: registration.ttl)
        }
        return epoch
    }

    /// Ends a registration whose lease has run out; its receipts stay until it makes room.
    ///
    /// - Returns: false if it has ended before, or if the worker has registered again.
    mutating func end(_ lease: EndedLease) -> Bool {
        guard let worker = workers[lease.worker], worker.epoch == lease.epoch, worker.isRegistered else { return false }
        change(lease.worker) { $0.hasEnded = true }
        nextExpiry = 0
        return true
    }

    /// Skips epochs that lost records may have given.
    mutating func skipEpochs(_ count: Int) { epochs.skip(count) }

    /// Restores the content of a snapshot; a window that has become smaller applies at once.
    mutating func restore(
        workers: [Name: Worker], expired: [Name: Expired] = [:], epochs: EpochCounter = EpochCounter()
    ) {
        (self.expired, self.epochs, leaving, nextExpiry) = (expired, epochs, [], 0)
        self.workers = workers.mapValues { worker in
            var worker = worker
            worker.forget(beyond: window)
            return worker
        }
        registeredCount = self.workers.values.count(where: \.isRegistered)
        listBytes = self.workers.reduce(0) { $0 + $1.value.bytes + EntryBytes.text($1.key) }
        listBytes += expired.keys.reduce(0) { $0 + EntryBytes.text($1) }
    }

    /// Lets receipts from an image share their rates and account for them.
    mutating func share(_ rates: inout SharedRates) {
        for name in Array(workers.keys) {
            change(name) { worker in
                for place in worker.entries.indices { rates.share(in: &worker.entries[place].receipt) }
            }
        }
    }
}
