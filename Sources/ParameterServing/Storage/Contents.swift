// What the files of a directory speak of, read without building a model: for salvage, which has to tell what is missing.
// Recovery judges by the same rules while it replays.

import Journal

/// The models that snapshots, journal and the list of models know.
struct Contents {
    /// Snapshot files of any kind.
    private(set) var snapshots: [SnapshotInfo] = []
    /// The number that the next snapshot file gets.
    private(set) var nextSnapshot: UInt64 = 1
    /// The first position that no snapshot covers.
    private(set) var end: UInt64 = 1
    private(set) var firstSegment: (number: UInt64, position: UInt64)?
    private var census: (id: UInt64, names: [ModelUID: String])?
    private var source: UIDSource?
    /// By uid, the position of the newest snapshot.
    private var covered: [ModelUID: UInt64] = [:]
    private var created: [ModelUID: String] = [:]
    private var deleted: Set<ModelUID> = []
    private var trusted: UInt64 = 0

    init() {}

    /// Reads a directory whose damaged files are out of the way.
    init(_ directory: DataDirectory) throws(JournalError) {
        snapshots = try directory.snapshots.list().snapshots
        for info in snapshots { try note(info, in: directory) }
        firstSegment = try Journal.firstSegment(directory: directory.journalPath)
        try Journal.read(directory: directory.journalPath, from: firstSegment?.position ?? 1) { record in
            try note(record)
        }
    }

    private mutating func note(_ info: SnapshotInfo, in directory: DataDirectory) throws(JournalError) {
        nextSnapshot = max(nextSnapshot, info.id + 1)
        end = max(end, info.position)
        switch DataDirectory.Kind(rawValue: info.kind) {
        case .model: covered[ModelUID(number: info.model), default: 0].raise(to: info.position)
        case .registry:
            if let label = UIDSource(label: info.label) { source = label }
            census = (info.id, try ImageSource(try directory.snapshots.open(info.id)).census().names)
        case .checkpoint, nil: break
        }
    }

    private mutating func note(_ record: StoredRecord) throws {
        var reader = ByteReader(record.payload)
        switch CommandKind(rawValue: record.type) {
        case .create, .createFromImage:
            let uid = ModelUID(number: record.model)
            let count = try reader.readUInt64()
            source = source ?? UIDSource(seed: uid.number &- UInt32(truncatingIfNeeded: count))
            source?.note(count)
            created[uid] = try reader.readString()
        case .delete: deleted.insert(ModelUID(number: record.model))
        case .salvage:
            let salvage = try SalvageRecord(reading: &reader)
            trusted = salvage.firstTrustedSnapshot
            source = source ?? salvage.uids
            source?.note(salvage.uids.count)
        default: break
        }
    }

    /// Why the journal cannot continue a snapshot, in a few words; nil where it can.
    var hole: String? {
        guard let first = firstSegment, first.number > 1 else { return nil }
        guard let (uid, position) = covered.first(where: { $0.value < first.position }) else { return nil }
        return "model \(uid) needs the records from \(position) on, and it begins with \(first.position)"
    }

    /// Whether there are snapshots, which are never without a journal.
    var lacksJournal: Bool { firstSegment == nil && !snapshots.isEmpty }

    /// Whether a part of the journal has been deleted and nothing says which models there were by then.
    var lacksCensus: Bool { (firstSegment?.number ?? 1) > 1 && census == nil && trusted == 0 }

    /// Models of the list that are not there, and whose end the journal does not tell.
    var missing: [String] {
        guard let census, census.id >= trusted else { return [] }
        return census.names.filter { uid, name in
            covered[uid] == nil && created[uid] == nil && !deleted.contains(uid) && !created.values.contains(name)
        }.map { "\($0.value) (\($0.key))" }.sorted()
    }

    /// All of the above, in words.
    var gaps: [String] {
        var gaps = missing.map { "the model \($0), of which no snapshot is left" }
        if let hole { gaps.append("records of the journal, for \(hole)") }
        if lacksJournal { gaps.append("the journal, of which no segment is left") }
        if lacksCensus { gaps.append("the list of models, of which no snapshot is left") }
        return gaps
    }

    /// Where uids go on when up to `lost` creations are gone; nil for an unknown number of them.
    func uids(adding lost: UInt64?) -> UIDSource {
        let known = source ?? UIDSource()
        return UIDSource(seed: known.seed, count: known.count + (lost ?? SalvageRecord.unknownModels))
    }
}

extension DataDirectory {
    /// What a start would miss, in words, though every byte that is there is intact; empty where nothing is missing.
    ///
    /// A daemon that has the directory open may delete files between two looks, so that it takes two to tell.
    ///
    /// - Throws: what reading throws, for damage too.
    public func gaps() throws(JournalError) -> [String] {
        if SalvageMarker(path).isSet { return ["the end of a salvage that was interrupted: run it again"] }
        let gaps = try Contents(self).gaps
        return gaps.isEmpty ? [] : try Contents(self).gaps
    }
}

extension UInt64 {
    fileprivate mutating func raise(to other: UInt64) { self = Swift.max(self, other) }
}
