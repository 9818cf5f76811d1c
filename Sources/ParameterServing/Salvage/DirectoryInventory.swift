// The content of a directory, read without building models: for salvage, which must report what is missing.
// DirectoryRecovery uses the same rules while it replays.

import Glibc
import Journal
import Names

/// The models in snapshots, journal and the list of models.
struct DirectoryInventory {
    /// Snapshot files of any kind.
    private(set) var snapshots: [SnapshotInfo] = []
    /// The number of the next snapshot file.
    private(set) var nextSnapshot: UInt64 = 1
    /// The first position that no snapshot covers.
    private(set) var end: UInt64 = 1
    private(set) var firstSegment: (number: UInt64, position: UInt64)?
    private(set) var state = DirectoryState()

    init() {}

    /// Reads a directory, skipping damaged snapshots of models.
    init(_ directory: DataDirectory) throws(JournalError) {
        try self.init(directory) { from, end, body throws(JournalError) in
            try Journal.read(directory: directory.journalPath, on: directory.disk, from: from, upTo: end, body)
        }
    }

    /// As above, with the journal's records from `read`.
    init(_ directory: DataDirectory, read: HistoryReader.Read) throws(JournalError) {
        snapshots = try directory.snapshots.list().snapshots
        for info in snapshots { try note(info, in: directory) }
        firstSegment = try Journal.firstSegment(directory: directory.journalPath, on: directory.disk)
        try read(firstSegment?.position ?? 1, nil) { record in
            _ = state.apply(try RecordHead(of: record), at: record.position)
        }
        _ = state.finish()
    }

    private mutating func note(_ info: SnapshotInfo, in directory: DataDirectory) throws(JournalError) {
        nextSnapshot = max(nextSnapshot, info.id + 1)
        end = max(end, info.position)
        switch DataDirectory.Kind(rawValue: info.kind) {
        case .model:
            guard let head = try directory.head(of: info) else { return }
            state.add(head.uid, name: Name(head.name), position: head.position)
        case .registry:
            let census = try ImageSource(try directory.snapshots.open(info.id)).census()
            state.add(list: info.id, census, uids: UIDSource(label: info.label), position: info.position)
        case .checkpoint, nil: break
        }
    }

    /// Why the journal cannot continue a snapshot, in a few words; nil if it can.
    var hole: String? {
        guard let first = firstSegment, first.number > 1 else { return nil }
        return state.modelNeedingRecords(before: first.position).map { uid, model in
            "model \(uid) needs the records from \(model.position), but it begins with \(first.position)"
        }
    }

    /// Whether records before the journal's first are missing although no snapshot needs them: models may have been
    /// created there.
    var lacksBeginning: Bool {
        guard let first = firstSegment, first.number > 1 else { return false }
        return state.lacksRecords(before: first.position)
    }

    /// Whether there are snapshots but no journal, which cannot happen by itself.
    var lacksJournal: Bool { firstSegment == nil && !snapshots.isEmpty }

    /// Whether part of the journal has been deleted and no list says which models existed then.
    var lacksCensus: Bool { (firstSegment?.number ?? 1) > 1 && state.lacksList }

    /// Models in the list that do not exist, and whose end is not in the journal.
    var missing: [String] { state.isListTrusted ? state.missing : [] }

    /// All of the above, in words.
    var gaps: [String] {
        var gaps = missing.map { "the model \($0), of which no snapshot is left" }
        if let hole { gaps.append("records of the journal, for \(hole)") }
        if lacksBeginning { gaps.append("records before the journal's first, in which models may have been created") }
        if lacksJournal { gaps.append("the journal, of which no segment is left") }
        if lacksCensus { gaps.append("the list of models, of which no snapshot is left") }
        return gaps
    }

    /// Where uids continue after up to `lost` lost creations; nil if the number is unknown.
    func uids(adding lost: UInt64?) -> UIDSource {
        let known = state.uids ?? UIDSource()
        return UIDSource(seed: known.seed, count: known.count + (lost ?? SalvageRecord.unknownModels))
    }
}

extension DataDirectory {
    /// The head of a model's snapshot; nil if it is damaged or has been removed meanwhile.
    fileprivate func head(of info: SnapshotInfo) throws(JournalError) -> ImageHead? {
        do {
            return try ImageSource(try snapshots.open(info.id)).head().head
        } catch {
            switch error {
            case .corrupted, .inaccessible(_, _, ENOENT): return nil
            default: throw error
            }
        }
    }

    /// What a start would miss although all existing bytes are intact, in words; empty if nothing is missing.
    ///
    /// A running daemon may delete files between two looks, so a gap counts only if it is found twice.
    ///
    /// - Throws: the errors of reading, including damage.
    public func gaps() throws(JournalError) -> [String] {
        if SalvageMarker(path).isSet { return ["the end of a salvage that was interrupted: run it again"] }
        let gaps = try DirectoryInventory(self).gaps
        return gaps.isEmpty ? [] : try DirectoryInventory(self).gaps
    }
}
