// An earlier state of a model: from the newest intact snapshot before it, or the model's creation, and the records from
// there on, applied to a private ModelState. DirectoryState decides the effect of each record, as for a start.

import Journal
import Names
import Optimizers

/// Rebuilds earlier states of models from a data directory.
public struct HistoryReader {
    typealias Read = (_ from: UInt64, _ upTo: UInt64?, (StoredRecord) throws -> Void) throws(JournalError) -> Void

    private let directory: DataDirectory
    private let assembly: ModelAssembly
    private let read: Read
    /// The position of the first record that may be read; nil for the first one in the journal.
    private let first: UInt64?

    /// Makes a reader that changes nothing in the directory.
    ///
    /// - Parameters:
    ///   - directory: the directory.
    ///   - catalogue: the optimizers that its models may use.
    ///   - receiptWindow: the number of receipts that the daemon keeps; only affects the digest.
    ///   - requestKeys: the number of answers that it keeps for requests with a key; only affects the digest.
    public init(
        _ directory: DataDirectory, catalogue: Catalogue, receiptWindow: Int = 256, requestKeys: Int = 256
    ) {
        var configuration = ServingConfiguration(memoryLimit: .max, receiptWindow: receiptWindow, threads: 0)
        configuration.requestKeys = requestKeys
        let assembly = ModelAssembly(configuration, catalogue)
        self.init(directory, assembly) { from, end, body throws(JournalError) in
            try Journal.read(directory: directory.journalPath, on: directory.disk, from: from, upTo: end, body)
        }
    }

    /// Reads records through `read`; the one at `first` is the earliest that may be read.
    init(_ directory: DataDirectory, _ assembly: ModelAssembly, first: UInt64? = nil, read: @escaping Read) {
        self.first = first
        self.directory = directory
        self.assembly = assembly
        self.read = read
    }

    /// The state found.
    public struct Found {
        /// The step.
        public var step: Int
        /// The version.
        public var version: Int
        /// Equal for states that are equal to the bit.
        public var digest: String
        /// Whether the model was deleted later.
        public var isDeleted: Bool
    }

    /// The state of the newest model with a name, at a step or at the journal's end.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - step: the step; if a restore made the model pass it twice, the later time counts.
    /// - Returns: nil if the model or the step is not covered.
    public func image(of name: String, atStep step: Int?) throws -> Found? {
        guard let (uid, isDeleted) = try newest(called: name), let image = try wholeImage(atStep: step, uid: uid)
        else { return nil }
        return Found(
            step: image.head.optimizer.step, version: image.head.version, digest: "\(image.digest)",
            isDeleted: isDeleted)
    }

    /// The whole state of one model, at a step or at the journal's end.
    ///
    /// Each snapshot leads up to the next one. The last is tried first; if it is damaged, or was taken after a restore
    /// whose steps start again, the previous one takes over its range.
    func wholeImage(atStep step: Int?, uid: ModelUID) throws -> ModelImage? {
        let first =
            try first ?? Journal.firstSegment(directory: directory.journalPath, on: directory.disk)?.position ?? 1
        var end: UInt64?
        for snapshot in try snapshots(of: uid, from: first) {
            guard let state = try intact(snapshot) else { continue }
            let position = snapshot.info.position
            if let image = try walk(from: position, upTo: end, uid, state, to: step) { return image }
            end = position
        }
        return try walk(from: first, upTo: end, uid, nil, to: step)
    }

    /// The snapshots of a model, the newest first; open, because a daemon may delete old ones meanwhile.
    private func snapshots(of uid: ModelUID, from first: UInt64) throws(JournalError) -> [SnapshotReader] {
        let kind = DataDirectory.Kind.model.rawValue
        let all = try directory.snapshots.list().snapshots
        let theirs = all.filter { $0.kind == kind && $0.model == uid.number && $0.position >= first }
        var readers: [SnapshotReader] = []
        for info in theirs.sorted(by: { ($0.position, $0.id) > ($1.position, $1.id) }) {
            do throws(JournalError) {
                readers.append(try directory.snapshots.open(info.id))
            } catch {
                if error.isGone { continue }
                guard case .corrupted = error else { throw error }
            }
        }
        return readers
    }

    /// The state of a snapshot; nil for a damaged one.
    private func intact(_ snapshot: SnapshotReader) throws -> ModelState? {
        do {
            return try assembly.assemble(ImageSource(snapshot))
        } catch JournalError.corrupted {
            return nil
        }
    }

    /// Applies a range of records to the state of a model, which they may create.
    private func walk(
        from start: UInt64, upTo end: UInt64?, _ uid: ModelUID, _ state: ModelState?, to step: Int?
    ) throws -> ModelImage? {
        var state = state
        var models = DirectoryState()
        if let state { models.add(uid, name: Name(state.facts.name), position: state.firstPosition) }
        var found = try state?.image(ifAt: step)
        var refusal: ServingError?
        do throws(JournalError) {
            try read(start, end) { record in
                do {
                    guard try apply(record, of: uid, to: &state, &models) else { return }
                    found = try state?.image(ifAt: step) ?? found
                } catch let error as ServingError {
                    refusal = error
                    throw error
                } catch let error as FormatError {
                    refusal = error.missingMemory.map { .noMemory(needed: $0) }
                    throw error
                }
            }
        } catch {
            throw refusal ?? error as any Error
        }
        return step == nil ? state?.view : found
    }

    /// Applies a record; false if it does not concern this model.
    private func apply(
        _ record: StoredRecord, of uid: ModelUID, to state: inout ModelState?, _ models: inout DirectoryState
    ) throws -> Bool {
        let head = try RecordHead(of: record)
        guard head.concerns(uid) else { return false }
        var reader = ByteReader(record.payload)
        switch models.apply(head, at: record.position) {
        case .create:
            let creation = try CreationRecord(try CommandKind(of: record), reading: &reader)
            state = try assembly.assemble(creation.name, uid, creation.source)
            state?.begin(at: record.position)
        case .command(_, let kind):
            guard let (layout, pool) = state.map({ ($0.layout, $0.pool) }) else { return false }
            let command = try Command(kind, reading: &reader, layout: layout, pool: pool)
            _ = state?.apply(command, at: record.position, noting: assembly.watch)
        case .skip(let versions, _): state?.skip(versions: versions, at: record.position)
        case .retire, .none: return false
        }
        return true
    }

    /// The newest creation of a name, according to snapshots and journal.
    func newest(called name: String) throws -> (uid: ModelUID, isDeleted: Bool)? {
        try DirectoryInventory(directory, read: read).state.newest(called: Name(name))
    }
}
