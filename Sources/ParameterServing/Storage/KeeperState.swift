// What the snapshot keeper knows between two pieces of work: which models there are, how far each is covered, how much
// has been logged. Values and decisions only; the files are SnapshotKeeper's.

/// The keeper's book.
struct KeeperState {
    /// What the keeper's thread does next.
    enum Work {
        case snapshot(Model)
        case delete([ModelUID])
        case job(@Sendable (DataDirectory) -> Void)
        case stop
    }

    private struct Watch {
        let model: Model
        /// Every record before is covered by each snapshot that is kept; before the first one, the create record's place.
        var coveredTo: UInt64
        /// Bytes that had been logged, for any model, when the last snapshot was taken.
        var mark: Int
    }

    private var watches: [ModelUID: Watch] = [:]
    /// Creations that are being logged, each with a position that its record cannot be before.
    var arriving: [ModelUID: UInt64] = [:]
    /// Models that are not served and whose files stay: the name, and the first record that is needed.
    private var shelved: [ModelUID: (name: String, position: UInt64)] = [:]
    /// Models that are gone and whose files are not gone yet, each with a position that the record of its end cannot be
    /// before: if that record went first, the files would bring the model back.
    private var retired: [ModelUID: UInt64] = [:]
    var jobs: [@Sendable (DataDirectory) -> Void] = []
    /// Bytes of all records, as far as they are still in the journal or have been logged since the start.
    var logged: Int
    /// The least of all marks.
    private var oldestMark = Int.max
    /// Bytes of all models.
    private var weight = 0
    private let leastAllowance: Int
    /// After a failure nothing is tried before this many bytes have been logged.
    private var resumeAt = 0
    private var lastWasJob = false
    private var lastWasDeletion = false
    var isStopping = false
    var isRunning = true

    init(logged: Int, leastAllowance: Int) {
        self.logged = logged
        self.leastAllowance = leastAllowance
    }

    /// What the journal may weigh beyond a model's last snapshot: twice what snapshots of all models would write.
    private var allowance: Int { max(leastAllowance, 2 * weight) }

    /// Whether there is a snapshot to write, or some to delete.
    var isDue: Bool { logged >= resumeAt && (!retired.isEmpty || isSnapshotDue) }

    private var isSnapshotDue: Bool { !watches.isEmpty && logged - oldestMark > allowance }

    /// What to do now; nil for nothing.
    mutating func nextWork() -> Work? {
        // Jobs that keep coming must not keep the journal from being cut.
        let hasTurn = isDue && lastWasJob && !isStopping
        lastWasJob = !hasTurn && !jobs.isEmpty
        if lastWasJob { return .job(jobs.removeFirst()) }
        if isStopping { return .stop }
        guard isDue else { return nil }
        // Models that keep going must not keep the others from being written out either.
        lastWasDeletion = !retired.isEmpty && !(lastWasDeletion && isSnapshotDue)
        if lastWasDeletion { return .delete(Array(retired.keys)) }
        return watches.values.min { $0.mark < $1.mark }.map { .snapshot($0.model) }
    }

    mutating func watch(_ model: Model, coveredTo position: UInt64, mark: Int) {
        arriving[model.uid] = nil
        watches[model.uid] = Watch(model: model, coveredTo: position, mark: mark)
        oldestMark = min(oldestMark, mark)
        weight += model.bytes
    }

    mutating func shelve(_ model: UnavailableModel, from position: UInt64) {
        shelved[model.uid] = (model.name, position)
    }

    mutating func cover(_ uid: ModelUID, to position: UInt64, mark: Int) {
        watches[uid]?.coveredTo = position
        watches[uid]?.mark = mark
        oldestMark = watches.values.reduce(.max) { min($0, $1.mark) }
    }

    mutating func retire(_ uids: [ModelUID], at position: UInt64) {
        for uid in uids { retired[uid] = position }
        for uid in uids { shelved[uid] = nil }
        for uid in uids { weight -= watches.removeValue(forKey: uid)?.model.bytes ?? 0 }
        oldestMark = watches.values.reduce(.max) { min($0, $1.mark) }
    }

    /// Notes that the files of models are gone.
    mutating func remove(_ uids: [ModelUID]) {
        for uid in uids { retired[uid] = nil }
    }

    /// Notes a failure: the next try waits for a tenth of what makes a snapshot due.
    mutating func pause() {
        resumeAt = logged + allowance / 10
    }

    /// The first position of the journal that somebody needs.
    func needed(before end: UInt64) -> UInt64 {
        let served = watches.values.reduce(end) { min($0, $1.coveredTo) }
        let others = [arriving.values.min(), retired.values.min(), shelved.values.map(\.position).min()]
        return others.compactMap(\.self).reduce(served, min)
    }

    /// Which models there are, by the records before `end`: later ones may not survive a power cut.
    func census(before end: UInt64) -> Census {
        let served = watches.filter { $0.value.model.firstPosition < end }.mapValues(\.model.name)
        return Census(names: served.merging(shelved.mapValues(\.name)) { name, _ in name })
    }
}
