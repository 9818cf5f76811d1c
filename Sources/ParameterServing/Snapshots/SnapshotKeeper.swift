// Keeps the journal short: when the journal since a model's last snapshot is larger than all models together, a
// separate thread writes the model's state, and deletes the segments that are no longer needed. Pushes
// continue; a snapshot only costs them the copy of the slots.

import Glibc
import Journal
import Threading

/// The thread that writes snapshots, and deletes the files that no one needs.
final class SnapshotKeeper: Loop {
    private let state: Locked<KeeperState>
    private let wakeUp = Condition()
    let directory: DataDirectory
    private let journal: Journal
    private let report: @Sendable (StorageEvent) -> Void
    private let uids: Locked<UIDSource>
    private let keys: Locked<[KeyLedger.Entry]>

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - logged: bytes of the records that the journal already holds.
    ///   - firstPosition: the position of the first of these records.
    ///   - configuration: how many bytes of records may pile up before models are written out, and before changes wait.
    ///   - report: called for each snapshot and each failure.
    /// - Throws: `outOfResources` if the system refuses a thread.
    init(
        _ directory: DataDirectory, _ journal: Journal, uids: UIDSource, keys: [KeyLedger.Entry], logged: Int,
        firstPosition: UInt64, configuration: ServingConfiguration,
        report: @escaping @Sendable (StorageEvent) -> Void
    ) throws(JournalError) {
        self.directory = directory
        self.journal = journal
        self.uids = Locked(uids)
        self.keys = Locked(keys)
        self.report = report
        state = Locked(
            KeeperState(
                logged: logged, firstPosition: firstPosition, leastAllowance: configuration.snapshotAllowance,
                journalLimit: configuration.mostJournal))
        lookAtDisk()
        guard let thread = LoopThread(self) else {
            throw .outOfResources(file: "the snapshot thread", call: "pthread_create", code: EAGAIN)
        }
        thread.detach()
    }

    // MARK: The files and records to keep

    /// Keeps the record of a creation that is about to be logged, until `watch` or `cancelExpected`; also stores
    /// `uids`.
    func expect(_ uid: ModelUID, _ uids: UIDSource) {
        self.uids.withLock { $0 = uids }
        let position = journal.nextPosition
        state.withLock { $0.arriving[uid] = position }
    }

    /// Adds a new model.
    func watch(_ model: Model) {
        state.withLock {
            $0.watch(model, coveredTo: model.firstPosition, mark: $0.logged, coveredMark: $0.logged)
        }
    }

    /// Adds a model from recovery.
    ///
    /// `mark` and `coveredMark` are the bytes logged at its newest snapshot and at the oldest that is kept.
    func watch(_ model: Model, coveredTo position: UInt64, mark: Int, coveredMark: Int) {
        state.withLock { $0.watch(model, coveredTo: position, mark: mark, coveredMark: coveredMark) }
    }

    /// Keeps the files and records of a model that is not served.
    func shelve(_ model: UnavailableModel, from position: UInt64) {
        state.withLock { $0.shelve(model, from: position) }
    }

    /// Cancels a creation that failed.
    func cancelExpected(_ uid: ModelUID) {
        state.withLock { $0.arriving[uid] = nil }
    }

    /// Deletes the files of deleted models.
    ///
    /// `position` is the position of the record that ended them, or an earlier one.
    func deleteFiles(of uids: [ModelUID], at position: UInt64) {
        state.withLock { $0.retire(uids, at: position) }
        wakeUp.broadcast()
    }

    /// Records that `bytes` are being logged.
    ///
    /// - Parameter always: whether the record is accepted beyond the limit, because it shortens the journal in the end.
    /// - Throws: `journalBehind`, without recording anything, while the journal has reached its limit.
    func note(_ bytes: Int, always: Bool) throws(ServingError) {
        let becomesDue = try state.withLock { state throws(ServingError) in
            guard always || !state.isBehind else { throw .journalBehind(limit: state.mostNeeded) }
            return state.log(bytes)
        }
        if becomesDue { wakeUp.broadcast() }
    }

    /// Bytes of records that served models need, and their limit.
    var journalBytes: (needed: Int, most: Int) { state.withLock { ($0.bytesNeeded, $0.mostNeeded) } }

    /// Stores the answers of creations and deletions that came with a key.
    func note(_ keys: [KeyLedger.Entry]) { self.keys.withLock { $0 = keys } }

    // MARK: The thread

    /// Runs `body`, which reads the journal from the position that it is given, on the calling thread.
    ///
    /// No record from there on is deleted meanwhile.
    func reading<Result>(_ body: (UInt64) throws -> Result) rethrows -> Result {
        let first = state.withLock { $0.beginReading() }
        defer { state.withLock { $0.endReading(from: first) } }
        return try body(first)
    }

    /// Ends the thread after the current snapshot.
    func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.broadcast()
        state.wait(for: wakeUp) { $0.isRunning ? nil : () }
    }

    /// Does the next job.
    func turn() -> Turn {
        switch state.withLock({ $0.nextWork() }) {
        case nil:
            wakeUp.broadcast()
            return .idle
        case .stop:
            state.withLock { $0.end() }
            wakeUp.broadcast()
            return .ended
        case .snapshots(let models):
            let names = models.map { "snapshot of \($0.name)" }
            attempt(names.count == 1 ? names : names + [Self.batch]) { () throws(JournalError) in
                try write(models)
            }
        case .delete(let uids):
            attempt(["removing snapshots"]) { () throws(JournalError) in try remove(uids) }
        }
        return .worked
    }

    /// Waits until there is nothing to write or to delete.
    func waitUntilIdle() { state.wait(for: wakeUp) { $0.isIdle ? () : nil } }

    /// Waits for work.
    func rest() { state.wait(for: wakeUp) { $0.hasWork ? () : nil } }

    /// The name of several snapshots in the log.
    private static let batch = "snapshots of models"

    /// Runs the work and reports a failure under the last of the names; the journal still has everything, and a later
    /// record triggers another attempt.
    private func attempt(_ names: [String], _ body: () throws(JournalError) -> Void) {
        do throws(JournalError) {
            try body()
            for name in names { report(.done(name)) }
        } catch {
            state.withLock { $0.pause() }
            if let name = names.last { report(.failed(name, error)) }
        }
    }

    /// Writes models out; their files share the waits for the disk.
    private func write(_ models: [Model]) throws(JournalError) {
        let mark = state.withLock { $0.logged }
        // Everything logged before a flush has been passed to the models before the images are requested.
        let flushed = try flush()
        var written: [(model: Model, step: Int, writer: SnapshotWriter)] = []
        for model in models {
            let (step, writer) = try withImage(of: model) { image throws(JournalError) in
                var image = image
                image.head.position = max(image.head.position, flushed)
                return (image.head.optimizer.step, try begin(image, in: directory.snapshots, kind: .model, label: []))
            }
            written.append((model, step, writer))
        }
        try flush()
        try SnapshotWriter.finish(written.map(\.writer))
        let kind = DataDirectory.Kind.model.rawValue
        let oldest = try directory.snapshots.prune(kind: kind, models: Set(models.map(\.uid.number)))
        let covered = written.map { model, _, writer in
            let position = writer.info.position
            return (model.uid, (position: position, oldest: oldest[model.uid.number] ?? position))
        }
        state.withLock { $0.cover(Dictionary(covered, uniquingKeysWith: { _, last in last }), mark: mark) }
        try shorten()
        lookAtDisk()
        for (model, step, writer) in written {
            report(.snapshot(model: model.name, step: step, bytes: writer.info.length))
        }
    }

    private func lookAtDisk() {
        guard let free = directory.disk.freeBytes(directory.journalPath) else { return }
        state.withLock { $0.note(freeBytes: free) }
    }

    /// Runs `body` with a copy of the state; if there is no room for one, with the state itself while pushes wait: the
    /// journal must become shorter however little memory is left.
    private func withImage<Result>(
        of model: Model, _ body: (ModelImage) throws(JournalError) -> Result
    ) throws(JournalError) -> Result {
        guard let image = try? model.waitForImage() else { return try model.hold(body) }
        return try image.use(body)
    }

    private func remove(_ uids: [ModelUID]) throws(JournalError) {
        let gone = Set(uids)
        for store in [directory.checkpoints, directory.snapshots] {
            let files = try store.list().files(of: gone)
            // A power cut must not bring the model back without them.
            if !files.isEmpty { try flush() }
            try store.delete(files)
        }
        state.withLock { $0.remove(uids) }
        try shorten()
    }

    /// Makes everything logged durable; returns the first position that is not.
    ///
    /// In modes that do not sync each record, the records that a snapshot covers must be on disk first.
    @discardableResult
    func flush() throws(JournalError) -> UInt64 {
        try journal.flush()
    }

    /// Deletes the segments that no model needs, after writing the list of models.
    private func shorten() throws(JournalError) {
        let end = try flush()
        var (needed, census) = state.withLock { ($0.giveUp(before: end), $0.census(before: end)) }
        // As with the models: the list must not contain what is not on disk yet.
        census.keys = keys.withLock { $0.filter { $0.position < end } }
        guard try journal.hasSegments(before: needed) else { return }
        try write(census, covering: needed)
        _ = try journal.deleteSegments(before: needed)
    }

    /// Writes the list of models, and the number of models ever created.
    func write(_ census: Census, covering position: UInt64) throws(JournalError) {
        let uids = uids.withLock { $0 }
        let kind = DataDirectory.Kind.registry.rawValue
        let writer = try directory.snapshots.create(kind: kind, model: 0, position: position, label: uids.label)
        try writer.write(census.bytes)
        _ = try writer.finish()
        _ = try directory.snapshots.prune(kind: kind, model: 0)
    }
}

/// Writes an image into a store; it has no name until the writer is finished.
func begin(
    _ image: ModelImage, in store: SnapshotStore, kind: DataDirectory.Kind, label: [UInt8]
) throws(JournalError) -> SnapshotWriter {
    let writer = try store.create(
        kind: kind.rawValue, model: image.head.uid.number, position: image.head.position, label: label)
    var failure: JournalError?
    image.head.write { piece in
        guard failure == nil else { return }
        do throws(JournalError) { try writer.write(piece) } catch { failure = error }
    }
    if let failure { throw failure }
    for buffer in image.values { try writer.write(UnsafeRawBufferPointer(buffer[0..<buffer.count])) }
    return writer
}

extension SnapshotWriter {
    /// Adds bytes to the content.
    func write(_ bytes: [UInt8]) throws(JournalError) {
        try bytes.withUnsafeBufferPointer { bytes throws(JournalError) in try write(UnsafeRawBufferPointer(bytes)) }
    }
}

/// Events of the storage for the log.
public enum StorageEvent: Sendable {
    /// A model's snapshot is durable.
    case snapshot(model: String, step: Int, bytes: Int)
    /// Something could not be written; the journal still has everything.
    case failed(String, JournalError)
    /// A write that had failed before has now succeeded.
    case done(String)
    /// The journal refuses records from now on; whether that may end without a restart.
    case obstructed(JournalError, heals: Bool)
    /// The journal accepts records again.
    case healed
}
