// What the snapshot keeper knows between two pieces of work: which models there are, how far each is covered, how much
// has been logged. Values and decisions only; the files are SnapshotKeeper's.

import Threading

/// The keeper's book.
///
/// 1. The record of a creation is not before the position that it was expected from.
/// 2. Whoever ends reading has begun.
/// 3. The snapshots of a model cover more each time: what it needs of the journal never begins further back.
struct KeeperState {
    /// What the keeper's thread does next.
    enum Work {
        /// Write these out together.
        case snapshots([Model])
        case delete([ModelUID])
        case stop
    }

    private struct Watch {
        let model: Model
        /// Every record before is covered by each snapshot that is kept; before the first one, the create record's place.
        var coveredTo: UInt64
        /// Bytes that had been logged, for any model, when the last snapshot was taken.
        var mark: Int
        /// The same at `coveredTo`: the journal holds all that was logged since.
        var coveredMark: Int
    }

    /// The most models that are written out together; each takes a descriptor meanwhile.
    private static let mostInBatch = 32
    /// Bytes of their states after which no more join them.
    private static let batchBytes = 16 << 20

    private var watches: [ModelUID: Watch] = [:]
    /// Creations that are being logged, each with a position that its record cannot be before.
    var arriving: [ModelUID: UInt64] = [:]
    /// Models that are not served and whose files stay: the name, and the first record that is needed.
    private var shelved: [ModelUID: (name: String, position: UInt64)] = [:]
    /// Models that are gone and whose files are not gone yet, each with a position that the record of its end cannot be
    /// before: if that record went first, the files would bring the model back.
    private var retired: [ModelUID: UInt64] = [:]
    /// Records before it are going, or will once they are read no more.
    private var givenUp: UInt64
    /// Where those begin who read the journal now.
    private var readers: [UInt64] = []
    /// Bytes of all records, as far as they are still in the journal or have been logged since the start.
    var logged: Int
    /// The least of all marks.
    private var oldestMark = Int.max
    /// The least of all covered marks.
    private var oldestCoveredMark = Int.max
    /// Bytes of all models.
    private var weight = 0
    private let leastAllowance: Int
    private let journalLimit: Int
    /// After a failure nothing is tried before this many bytes have been logged.
    private var resumeAt = 0
    private var lastWasDeletion = false
    /// Whether the thread is doing what it was told to do.
    private var isAtWork = false
    var isStopping = false
    var isRunning = true

    init(logged: Int, firstPosition: UInt64 = 1, leastAllowance: Int, journalLimit: Int) {
        givenUp = firstPosition
        self.logged = logged
        self.leastAllowance = leastAllowance
        self.journalLimit = journalLimit
    }

    /// What may be logged beyond a model's last snapshot: twice what snapshots of all models would write.
    private var allowance: Int { max(leastAllowance, 2 * weight) }

    /// The most bytes of records that are logged and that a served model needs; never less than one allowance to the
    /// snapshot before the last, one to the last, and one for the time that writing takes.
    var mostNeeded: Int { max(journalLimit, 3 * allowance) }

    /// Bytes of records that served models need.
    var bytesNeeded: Int { max(0, logged - oldestCoveredMark) }

    /// Whether records have to wait until models are written out.
    ///
    /// Not after a failure: a disk that takes records and no snapshots is better than none.
    var isBehind: Bool { logged >= resumeAt && bytesNeeded > mostNeeded }

    /// Whether there is a snapshot to write, or some to delete.
    var isDue: Bool { logged >= resumeAt && (!retired.isEmpty || isSnapshotDue) }

    private var isSnapshotDue: Bool { logged - oldestMark > allowance || bytesNeeded > 2 * allowance }

    /// The bytes that are logged when a model is due.
    private func turn(of watch: Watch) -> Int { min(watch.mark + allowance, watch.coveredMark + 2 * allowance) }

    /// The models to write out: those that are due or soon will be, the first ones.
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

    /// What to do now; nil for nothing.
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
        // Models that keep going must not keep the others from being written out.
        lastWasDeletion = !retired.isEmpty && !(lastWasDeletion && isSnapshotDue)
        if lastWasDeletion { return .delete(retired.keys.sorted { $0.number < $1.number }) }
        return .snapshots(nextModels)
    }

    /// Notes that `bytes` are logged; whether work has become due by it.
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
        weight += model.bytes
    }

    mutating func shelve(_ model: UnavailableModel, from position: UInt64) {
        shelved[model.uid] = (model.name, position)
    }

    /// Notes snapshots that were begun at `mark`: the position of each, and of the oldest that is kept.
    mutating func cover(_ snapshots: [ModelUID: (position: UInt64, oldest: UInt64)], mark: Int) {
        for (uid, snapshot) in snapshots {
            // One that has been retired since is of no interest any more.
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

    /// Ends the work, and lets go of the models.
    mutating func end() {
        watches = [:]
        isRunning = false
    }

    mutating func retire(_ uids: [ModelUID], at position: UInt64) {
        for uid in uids { retired[uid] = position }
        for uid in uids { shelved[uid] = nil }
        for uid in uids { weight -= watches.removeValue(forKey: uid)?.model.bytes ?? 0 }
        findOldest()
    }

    /// Notes that the files of models are gone.
    mutating func remove(_ uids: [ModelUID]) {
        for uid in uids { retired[uid] = nil }
    }

    /// Notes a failure: the next try waits for a tenth of what makes a snapshot due.
    mutating func pause() {
        resumeAt = logged + allowance / 10
    }

    /// Gives up all records of the journal that no model needs: the first position that stays.
    mutating func giveUp(before end: UInt64) -> UInt64 {
        let served = watches.values.reduce(end) { min($0, $1.coveredTo) }
        let others = [arriving.values.min(), retired.values.min(), shelved.values.map(\.position).min()]
        let needed = others.compactMap(\.self).reduce(served, min)
        givenUp = max(givenUp, needed)
        return readers.reduce(givenUp, min)
    }

    /// Keeps all records from the position that it returns, until `endReading`.
    ///
    /// Whoever begins next finds no more than models need, so that readers without end do not keep the journal long.
    mutating func beginReading() -> UInt64 {
        readers.append(givenUp)
        return givenUp
    }

    mutating func endReading(from position: UInt64) {
        let reader = readers.firstIndex(of: position)
        invariant(reader != nil, "2: a reader from \(position) among \(readers)")
        if let reader { readers.remove(at: reader) }
    }

    /// Which models there are, by the records before `end`: later ones may not survive a power cut.
    func census(before end: UInt64) -> Census {
        let served = watches.filter { $0.value.model.firstPosition < end }.mapValues(\.model.name)
        return Census(names: served.merging(shelved.mapValues(\.name)) { name, _ in name })
    }
}
