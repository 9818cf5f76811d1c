// The state of the snapshot keeper: the models, how far each is covered, and how much has been logged. Only values and
// decisions; SnapshotKeeper handles the files.

import Threading

/// The keeper's knowledge of models and the journal.
///
/// 1. The record of a creation has no earlier position than the one expected for it.
/// 2. Every `endReading` has a `beginReading`.
/// 3. The oldest kept snapshot of a model never covers less than before, so its needs never reach further back.
struct KeeperState {
    /// The next job of the keeper's thread.
    enum Work {
        /// Write these models together.
        case snapshots([Model])
        case delete([ModelUID])
        case stop
    }

    private struct Watch {
        let model: Model
        /// Every kept snapshot covers all records before this position; before the first one, the position of the
        /// create record.
        var coveredTo: UInt64
        /// The bytes logged, for all models, when the last snapshot was taken.
        var mark: Int
        /// The bytes logged at `coveredTo`: the journal contains everything logged since.
        var coveredMark: Int
    }

    /// The most models that are written together; each needs a descriptor while it is written.
    private static let mostInBatch = 32
    /// The bytes of states from which on no more models are added to a batch.
    private static let batchBytes = 16 << 20

    private var watches: [ModelUID: Watch] = [:]
    /// Creations being logged, each with a position that is not after its record.
    var arriving: [ModelUID: UInt64] = [:]
    /// Models that are not served and whose files are kept: the name, and the first record needed.
    private var shelved: [ModelUID: (name: String, position: UInt64)] = [:]
    /// Deleted models with remaining files, each with a position that is not after the record of its end: without that
    /// record, the files would bring the model back.
    private var retired: [ModelUID: UInt64] = [:]
    /// Records before this position are deleted, or will be once no one reads them.
    private var givenUp: UInt64
    /// The positions from which the current readers of the journal read.
    private var readers: [UInt64] = []
    /// Bytes of all records that were in the journal at the start or have been logged since.
    var logged: Int
    /// The smallest of all marks.
    private var oldestMark = Int.max
    /// The smallest of all covered marks.
    private var oldestCoveredMark = Int.max
    private var allowances: SnapshotAllowance
    private let journalLimit: Int
    /// After a failure, the next attempt waits for this many logged bytes.
    private var resumeAt = 0
    private var lastWasDeletion = false
    /// Whether the thread is doing a job.
    private var isAtWork = false
    var isStopping = false
    var isRunning = true

    init(logged: Int, firstPosition: UInt64 = 1, leastAllowance: Int, journalLimit: Int) {
        givenUp = firstPosition
        self.logged = logged
        allowances = SnapshotAllowance(least: leastAllowance)
        self.journalLimit = journalLimit
    }

    /// The bytes logged after a model's last snapshot that make the next one due.
    private var allowance: Int { allowances.bytes }

    /// Follows the disk.
    ///
    /// - Parameter free: The bytes that are free beside those of the records.
    mutating func note(freeBytes free: Int) {
        let (room, overflows) = free.addingReportingOverflow(bytesNeeded)
        allowances.room = overflows ? .max : room
    }

    /// The most bytes of records that a served model may need; at least one allowance before the snapshot before the
    /// last, one before the last, and one for the time that writing takes.
    var mostNeeded: Int { max(journalLimit, 3 * allowance) }

    /// Bytes of records that served models need.
    var bytesNeeded: Int { max(0, logged - oldestCoveredMark) }

    /// Whether records must wait until models are written out.
    ///
    /// Not after a failure: a disk that accepts records but no snapshots is better than none.
    var isBehind: Bool { logged >= resumeAt && bytesNeeded > mostNeeded }

    /// Whether there are snapshots to write or to delete.
    var isDue: Bool { logged >= resumeAt && (!retired.isEmpty || isSnapshotDue) }

    private var isSnapshotDue: Bool { logged - oldestMark > allowance || bytesNeeded > 2 * allowance }

    /// The logged bytes at which a model is due.
    private func turn(of watch: Watch) -> Int { min(watch.mark + allowance, watch.coveredMark + 2 * allowance) }

    /// The models to write out next, among those that are due or soon will be.
    private var nextModels: [Model] {
        let soon = logged + allowance / 8
        let due = watches.values.map { (turn: turn(of: $0), model: $0.model) }.filter { $0.turn <= soon }
        var (batch, bytes): ([Model], Int) = ([], 0)
        let sorted = due.sorted { ($0.turn, $0.model.uid.number) < ($1.turn, $1.model.uid.number) }
        for (_, model) in sorted.prefix(Self.mostInBatch) {
            bytes += model.bytes
            if !batch.isEmpty, bytes > Self.batchBytes { break }
            batch.append(model)
        }
        return batch
    }

    /// Whether there is something to do.
    var hasWork: Bool { isStopping || isDue }

    /// The next job; nil if there is none.
    mutating func nextWork() -> Work? {
        let work = chooseWork()
        isAtWork = work != nil
        return work
    }

    /// Whether the thread has nothing to do.
    var isIdle: Bool { !isAtWork && !isDue }

    private mutating func chooseWork() -> Work? {
        if isStopping { return .stop }
        guard isDue else { return nil }
        // Writing and deleting alternate, so that a steady stream of deletions does not keep models from being written.
        lastWasDeletion = !retired.isEmpty && !(lastWasDeletion && isSnapshotDue)
        if lastWasDeletion { return .delete(retired.keys.sorted { $0.number < $1.number }) }
        return .snapshots(nextModels)
    }

    /// Records that `bytes` are logged; returns whether a job has become due.
    mutating func log(_ bytes: Int) -> Bool {
        let wasDue = isDue
        logged += bytes
        return isDue && !wasDue
    }

    mutating func watch(_ model: Model, coveredTo position: UInt64, mark: Int, coveredMark: Int) {
        if let expected = arriving.removeValue(forKey: model.uid) {
            invariant(model.firstPosition >= expected, "1: record \(model.firstPosition), expected from \(expected)")
        }
        watches[model.uid] = Watch(model: model, coveredTo: position, mark: mark, coveredMark: coveredMark)
        oldestMark = min(oldestMark, mark)
        oldestCoveredMark = min(oldestCoveredMark, coveredMark)
        allowances.weight += model.bytes
    }

    mutating func shelve(_ model: UnavailableModel, from position: UInt64) {
        shelved[model.uid] = (model.name, position)
    }

    /// Records snapshots that were started at `mark`: the position of each, and of the oldest that is kept.
    mutating func cover(_ snapshots: [ModelUID: (position: UInt64, oldest: UInt64)], mark: Int) {
        for (uid, snapshot) in snapshots {
            // A model that has been retired since needs no mark.
            guard let watch = watches[uid] else { continue }
            invariant(
                snapshot.oldest >= watch.coveredTo,
                "3: \(uid) is covered to \(snapshot.oldest), before to \(watch.coveredTo)")
            watches[uid]?.coveredMark = snapshot.oldest == snapshot.position ? mark : watch.mark
            watches[uid]?.coveredTo = snapshot.oldest
            watches[uid]?.mark = mark
        }
        findOldest()
    }

    private mutating func findOldest() {
        oldestMark = watches.values.reduce(.max) { min($0, $1.mark) }
        oldestCoveredMark = watches.values.reduce(.max) { min($0, $1.coveredMark) }
    }

    /// Ends the keeper's work and releases the models.
    mutating func end() {
        watches = [:]
        isRunning = false
    }

    mutating func retire(_ uids: [ModelUID], at position: UInt64) {
        for uid in uids { retired[uid] = position }
        for uid in uids { shelved[uid] = nil }
        for uid in uids { allowances.weight -= watches.removeValue(forKey: uid)?.model.bytes ?? 0 }
        findOldest()
    }

    /// Records that the files of models are deleted.
    mutating func remove(_ uids: [ModelUID]) {
        for uid in uids { retired[uid] = nil }
    }

    /// Records a failure: the next attempt waits for a tenth of the bytes that make a snapshot due.
    mutating func pause() {
        resumeAt = logged + allowance / 10
    }

    /// Gives up all records that no model needs; returns the position of the first one that is kept.
    mutating func giveUp(before end: UInt64) -> UInt64 {
        let served = watches.values.reduce(end) { min($0, $1.coveredTo) }
        let others = [arriving.values.min(), retired.values.min(), shelved.values.map(\.position).min()]
        let needed = others.compactMap(\.self).reduce(served, min)
        givenUp = max(givenUp, needed)
        return readers.reduce(givenUp, min)
    }

    /// Keeps all records from the returned position on, until `endReading`.
    ///
    /// A later reading keeps only what models need, so that endless readings do not keep the journal long.
    mutating func beginReading() -> UInt64 {
        readers.append(givenUp)
        return givenUp
    }

    mutating func endReading(from position: UInt64) {
        let reader = readers.firstIndex(of: position)
        invariant(reader != nil, "2: a reader from \(position) among \(readers)")
        if let reader { readers.remove(at: reader) }
    }

    /// The models according to the records before `end`: later ones may not survive a power cut.
    func census(before end: UInt64) -> Census {
        let served = watches.filter { $0.value.model.firstPosition < end }.mapValues(\.model.name)
        return Census(names: served.merging(shelved.mapValues(\.name)) { name, _ in name })
    }
}
