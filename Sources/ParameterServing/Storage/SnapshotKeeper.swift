// Keeps the journal short: when a model's records since its last snapshot outweigh the model itself, its state is
// written out by a thread of its own, verified, and the segments that nobody needs any more are deleted. Pushes go on
// meanwhile; all that a snapshot costs them is the copy of the slots.

import Journal

/// The thread that writes snapshots.
final class SnapshotKeeper: Sendable {
    /// What is known of a model's records.
    private struct Watch {
        let model: Model
        /// Every record before is covered by a snapshot; the create record's own place before the first one.
        var coveredTo: UInt64
        var bytesSince = 0
        var isDue = false
    }

    private struct State {
        var watches: [ModelUID: Watch] = [:]
        var retired: [ModelUID] = []
        var jobs: [@Sendable (DataDirectory) -> Void] = []
        var isStopping = false
        var isRunning = true
    }

    private let state = Locked(State())
    private let wakeUp = Condition()
    private let directory: DataDirectory
    private let journal: Journal
    private let report: @Sendable (StorageEvent) -> Void
    private let uids: Locked<UIDSource>

    /// Starts the thread.
    ///
    /// - Parameter report: told of each snapshot and of each failure.
    init(
        _ directory: DataDirectory, _ journal: Journal, uids: UIDSource,
        report: @escaping @Sendable (StorageEvent) -> Void
    ) {
        self.directory = directory
        self.journal = journal
        self.uids = Locked(uids)
        self.report = report
        startThread { self.run() }
    }

    /// Counts a model's records from now on.
    func watch(_ model: Model, coveredTo position: UInt64? = nil, bytesSince: Int = 0) {
        state.withLock {
            $0.watches[model.uid] = Watch(
                model: model, coveredTo: position ?? model.firstPosition, bytesSince: bytesSince)
        }
    }

    /// Deletes what is kept of a model that is gone.
    func forget(_ model: Model) {
        state.withLock { state in
            state.watches[model.uid] = nil
            state.retired.append(model.uid)
        }
        wakeUp.broadcast()
    }

    /// Notes that `bytes` were logged for a model.
    func note(_ bytes: Int, of uid: ModelUID) {
        let isDue = state.withLock { state in
            guard var watch = state.watches[uid] else { return false }
            watch.bytesSince += bytes
            let becomesDue = !watch.isDue && watch.bytesSince > watch.model.journalAllowance
            watch.isDue = watch.isDue || becomesDue
            state.watches[uid] = watch
            return becomesDue
        }
        if isDue { wakeUp.broadcast() }
    }

    /// Runs file work on this thread, after what it is doing.
    func perform(_ job: @escaping @Sendable (DataDirectory) -> Void) {
        state.withLock { $0.jobs.append(job) }
        wakeUp.broadcast()
    }

    /// Ends the thread after the snapshot that is under way.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.broadcast()
        state.wait(for: wakeUp) { $0.isRunning ? nil : () }
    }

    private enum Work {
        case snapshot(Model)
        case delete([ModelUID])
        case job(@Sendable (DataDirectory) -> Void)
        case stop
    }

    private func run() {
        while true {
            switch nextWork() {
            case .stop:
                state.withLock { $0.isRunning = false }
                return wakeUp.broadcast()
            case .job(let job): job(directory)
            case .snapshot(let model):
                attempt("snapshot of \(model.name)") { () throws(JournalError) in try write(model) }
            case .delete(let uids): attempt("removing snapshots") { () throws(JournalError) in try remove(uids) }
            }
        }
    }

    private func nextWork() -> Work {
        state.wait(for: wakeUp) { state in
            if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
            if state.isStopping { return .stop }
            if !state.retired.isEmpty {
                defer { state.retired = [] }
                return .delete(state.retired)
            }
            guard let due = state.watches.first(where: { $0.value.isDue }) else { return nil }
            return .snapshot(due.value.model)
        }
    }

    private func attempt(_ what: String, _ body: () throws(JournalError) -> Void) {
        do throws(JournalError) {
            try body()
        } catch {
            // The journal still holds everything; the next record tries again.
            state.withLock { state in
                for uid in state.watches.keys { state.watches[uid]?.isDue = false }
            }
            report(.failed(what, error))
        }
    }

    private func write(_ model: Model) throws(JournalError) {
        let image = model.waitForImage()
        let bytes = state.withLock { $0.watches[model.uid]?.bytesSince ?? 0 }
        try flush()
        let info = try save(image, in: directory.snapshots, kind: .model, label: [])
        state.withLock { state in
            state.watches[model.uid]?.isDue = false
            state.watches[model.uid]?.bytesSince -= bytes
        }
        let oldest = try directory.snapshots.prune(kind: DataDirectory.Kind.model.rawValue, model: model.uid.number)
        state.withLock { $0.watches[model.uid]?.coveredTo = oldest ?? info.position }
        try shorten()
        report(.snapshot(model: model.name, step: image.optimizer.step, bytes: info.length))
    }

    private func remove(_ uids: [ModelUID]) throws(JournalError) {
        for info in try directory.snapshots.list().snapshots
        where info.kind == DataDirectory.Kind.model.rawValue && uids.contains(ModelUID(number: info.model)) {
            try directory.snapshots.delete(info.id)
        }
    }

    /// In the modes that do not sync each record, what a snapshot covers has to be on disk first.
    private func flush() throws(JournalError) {
        let result = Locked<Result<UInt64, JournalError>?>(nil)
        let done = Condition()
        journal.flush { outcome in
            result.withLock { $0 = outcome }
            done.signal()
        }
        _ = try result.wait(for: done) { $0 }.get()
    }

    /// Deletes the segments that no model needs, after noting how many models there have ever been.
    private func shorten() throws(JournalError) {
        guard let needed = state.withLock({ $0.watches.values.map(\.coveredTo).min() }) else { return }
        try saveCount(covering: needed)
        _ = try journal.deleteSegments(before: needed)
    }

    /// Notes how many models have been created.
    func note(_ uids: UIDSource) { self.uids.withLock { $0 = uids } }

    /// Writes the count of models ever created.
    func saveCount(covering position: UInt64) throws(JournalError) {
        let uids = uids.withLock { $0 }
        let kind = DataDirectory.Kind.registry.rawValue
        let writer = try directory.snapshots.create(kind: kind, model: 0, position: position, label: uids.label)
        _ = try writer.finish()
        _ = try directory.snapshots.prune(kind: kind, model: 0)
    }
}

/// Writes an image into a store.
func save(
    _ image: ModelImage, in store: SnapshotStore, kind: DataDirectory.Kind, label: [UInt8]
) throws(JournalError) -> SnapshotInfo {
    let writer = try store.create(
        kind: kind.rawValue, model: image.uid.number, position: image.position, label: label)
    var failure: JournalError?
    image.head.withUnsafeBytes { head in
        do throws(JournalError) { try writer.write(head) } catch { failure = error }
    }
    if let failure { throw failure }
    for buffer in image.values { try writer.write(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
    return try writer.finish()
}

/// What the storage tells whoever writes the log.
public enum StorageEvent: Sendable {
    /// A model's snapshot was written and verified.
    case snapshot(model: String, step: Int, bytes: Int)
    /// Something could not be written; the journal still holds everything.
    case failed(String, JournalError)
}
