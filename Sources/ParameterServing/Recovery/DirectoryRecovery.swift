// Recovery of a directory: the newest intact snapshot of each model, then every record since, in order, with
// DirectoryState deciding the effect of each. One thread reads the journal, ahead of the models (ReplayedModel) by a
// limited number of bytes.

import Journal
import Names
import Optimizers
import Threading

/// The findings of a recovery, for a line in the log.
public struct RecoverySummary: Sendable {
    /// Models recovered.
    public var models = 0
    /// Snapshots loaded.
    public var snapshots = 0
    /// Journal records read.
    public var records = 0
    /// Bytes of a record that a crash truncated, removed from the end of the journal.
    public var tornBytes = 0
    /// Positions that snapshots cover but that are missing from the journal.
    public var lostPositions = 0
    /// Version numbers that every model skips, because a crash may have lost them after they were shown.
    public var skippedVersions = 0
    /// The duration of the recovery.
    public var duration = Duration.zero
    /// Damaged snapshots, in place of which older ones were used.
    public var damaged: [String] = []
    /// Damaged checkpoints, judged by their headers.
    public var damagedCheckpoints: [DamagedCheckpoint] = []
    /// Models in the directory that are not served, by name.
    public var unavailable: [UnavailableModel] = []
    /// Models given up by a salvage.
    public var missing: [String] = []

    /// The findings of a start without a directory.
    public init() {}
}

/// Rebuilds models from a data directory.
final class DirectoryRecovery {
    let directory: DataDirectory
    let assembly: ModelAssembly
    let backlog = Backlog()
    /// Models being recovered.
    var models: [ModelUID: ReplayedModel] = [:]
    /// The same models, once they are open.
    private(set) var opened: [Model] = []
    /// The position that the oldest snapshot of a model covers: the journal must be kept from there on.
    var covered: [ModelUID: UInt64] = [:]
    /// The models according to snapshots and records; `models` follows it.
    var state: DirectoryState
    var retired: [ModelUID] = []
    /// Models that exist but are not served.
    var unavailable: [ModelUID: UnavailableModel] = [:]
    /// Intact snapshots that could not be decoded.
    var unreadable: [ModelUID: (info: SnapshotInfo, reason: String)] = [:]
    /// The rules of this program that crashed, by model.
    let crashes: [ModelUID: RuleCrash]
    var summary = RecoverySummary()
    /// Bytes of all records read.
    var logged = 0
    /// Bytes of the records before each creation and each snapshot, by position.
    private var marks: [UInt64: Int] = [:]
    /// Positions of snapshots that have no mark yet, the last one first.
    var unmarked: [UInt64] = []
    var endOfSnapshots: UInt64 = 1
    var firstDamage: JournalError?

    init(_ directory: DataDirectory, _ assembly: ModelAssembly) {
        self.directory = directory
        self.assembly = assembly
        state = DirectoryState(keys: KeyLedger(assembly.configuration))
        let crashes = directory.ruleCrashes.filter(\.isOfThisBuild).map { ($0.uid, $0) }
        self.crashes = Dictionary(crashes, uniquingKeysWith: { _, last in last })
    }

    /// Loads the snapshots, replays the journal and leaves it open.
    func run() throws(JournalError) -> Journal {
        let start = Clock.now
        try begin()
        let journal = try Journal.open(
            directory: directory.journalPath, on: directory.disk, holding: directory.claim,
            settings: directory.settings,
            resumingAt: endOfSnapshots
        ) { record in try self.replay(record) }
        try directory.snapshots.removeLeftovers()
        try directory.checkpoints.removeLeftovers()
        try finish()
        try removeOrphans()
        try leaveOut(journal.recovery.unprovenPositions, in: journal)
        opened = models.values.map { assembly.open($0.state, $0.events) }
        summary.records = Int(journal.recovery.records)
        summary.tornBytes = journal.recovery.tornTail?.bytes ?? 0
        summary.lostPositions = Int(journal.recovery.lostPositions)
        summary.duration = .nanoseconds(Int64(Clock.now - start))
        return journal
    }

    /// Builds everything that `run` would build, without changing the disk.
    func rehearse() throws(JournalError) {
        try begin()
        try Journal.read(directory: directory.journalPath, on: directory.disk) { record in try self.replay(record) }
        try finish()
    }

    private func begin() throws(JournalError) {
        try SalvageMarker(directory.path).checkClear()
        try loadSnapshots()
        try checkPresence()
    }

    /// Ends the replay, and checks that nothing is missing.
    private func finish() throws(JournalError) {
        backlog.wait(keeping: 0)
        for uid in state.finish() { retire(uid) }
        try checkBeginning()
        summary.missing = try checkCensus()
        summary.models = models.count
        summary.unavailable = unavailable.values.sorted { Name($0.name) < Name($1.name) }
    }

    /// The bytes logged when the model's newest snapshot was taken.
    func mark(of model: Model) -> Int { marks[model.firstPosition] ?? logged }

    /// The bytes logged at its oldest kept snapshot.
    func coveredMark(of model: Model) -> Int { covered[model.uid].map { marks[$0] ?? logged } ?? mark(of: model) }

    // MARK: Records

    private func replay(_ record: StoredRecord) throws {
        measure(record)
        let head = try RecordHead(of: record)
        let creation = Self.creation(record, head)
        // A creation that cannot be read makes its model unavailable; its key stays unknown.
        let made = try? creation?.get()
        switch state.apply(head, under: made?.key, step: made?.source.step ?? 0, at: record.position) {
        case .create(let uid, let retiring):
            for older in retiring { retire(older) }
            try create(uid, creation, record)
        case .retire(let uid): retire(uid)
        case .command(let uid, let kind): apply(kind, models[uid], record)
        case .skip(let versions, let uids): skip(versions, of: uids, at: record.position)
        case .none: break
        }
    }

    private func skip(_ versions: Int, of uids: [ModelUID], at position: UInt64) {
        backlog.wait(keeping: 0)
        for uid in uids { models[uid]?.skip(versions, at: position, assembly.configuration) }
    }

    private func measure(_ record: StoredRecord) {
        while let position = unmarked.last, position <= record.position { marks[unmarked.removeLast()] = logged }
        logged += record.payload.count + Journal.leastRecordBytes
    }

    /// The creation in a record, or the error of reading it; nil for any other record.
    private static func creation(_ record: StoredRecord, _ head: RecordHead) -> Result<CreationRecord, any Error>? {
        guard case .create = head else { return nil }
        var reader = ByteReader(record.payload)
        return Result { try CreationRecord(try CommandKind(of: record), reading: &reader) }
    }

    /// Builds the model of a record; if that fails, the model keeps its name and its files.
    private func create(
        _ uid: ModelUID, _ creation: Result<CreationRecord, any Error>?, _ record: StoredRecord
    ) throws {
        guard let name = state.models[uid]?.name, let creation else { return }
        do {
            let creation = try creation.get()
            let definition = creation.source.definition
            let parameters = definition.parameters.map(\.definition)
            guard isServed(creation.name, uid, definition.settings, parameters) else { return }
            var state = try assembleWithRoom(creation, uid)
            state.begin(at: record.position)
            marks[record.position] = logged
            models[uid] = ReplayedModel(state, assembly, backlog)
        } catch let error as FormatError where error.missingMemory == nil {
            shelve(name.text, uid, .refused(Self.misfit(record, "expected \(error.expected)")))
        } catch let error as ServingError {
            if error.isOfMemory { throw error }
            shelve(name.text, uid, .refused(Self.misfit(record, error.reason)))
        }
    }

    private static func misfit(_ record: StoredRecord, _ reason: String) -> String {
        "Record \(record.position) of the journal does not fit it: \(reason)."
    }

    /// Builds a state, if necessary after releasing memory that other models' records hold: the daemon that wrote it
    /// had room for all of them.
    private func assembleWithRoom(_ record: CreationRecord, _ uid: ModelUID) throws(ServingError) -> ModelState {
        do throws(ServingError) {
            return try assembly.assemble(record.name, uid, record.source)
        } catch {
            guard error.isOfMemory else { throw error }
            giveBack()
            return try assembly.assemble(record.name, uid, record.source)
        }
    }

    /// Lets the models release all memory that they do not need.
    private func giveBack() {
        backlog.wait(keeping: 0)
        // A thread may hold a retired model slightly longer than its last record.
        assembly.executor.waitUntilIdle()
        for model in models.values { model.pool.releaseFree() }
    }

    private func apply(_ kind: CommandKind, _ model: ReplayedModel?, _ record: StoredRecord) {
        guard let model else { return }
        do throws(FormatError) {
            try handOver(kind, to: model, record)
        } catch {
            shelve(model, .refused(Self.misfit(record, "expected \(error.expected)")))
        }
    }

    private func handOver(
        _ kind: CommandKind, to model: ReplayedModel, _ record: StoredRecord
    ) throws(FormatError) {
        var reader = ByteReader(record.payload)
        backlog.wait(keeping: ServingConfiguration.bytesReadAhead)
        let command = try Command(kind, reading: &reader, layout: model.layout, pool: model.pool)
        if let name = command.patch.flatMap({ assembly.catalogue.unknownSchedule(in: $0) }) {
            return shelve(model, .refused("Unknown schedule `\(name)`."))
        }
        let bytes = record.payload.count + model.layout.count * MemoryLayout<Float>.stride
        model.add(command, at: record.position, bytes: bytes)
        guard kind == .layout else { return }
        backlog.wait(keeping: 0)
        model.followLayout()
    }

    // MARK: The end

    /// Skips all versions and uids that clients may have seen in lost records; the journal records the skip first.
    private func leaveOut(_ positions: UInt64, in journal: Journal) throws(JournalError) {
        guard positions > 0 else { return }
        let gap = state.gap(of: positions)
        let position = try journal.appendDurably(gap.record)
        guard case .skip(let versions, let uids) = state.apply(.salvage(gap), at: position) else { return }
        skip(versions, of: uids, at: position)
        summary.skippedVersions = versions
    }

    private func retire(_ uid: ModelUID) {
        models[uid] = nil
        unavailable[uid] = nil
        retired.append(uid)
    }
}
