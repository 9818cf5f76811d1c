// The models of a directory, and the effect of each journal record on them. All readers of records share this type: the
// live registry, a start (DirectoryRecovery), a rollback (HistoryReader), verify and salvage (DirectoryInventory).

import Names
import Threading

/// The models of a directory, as a value without clock, file, lock or tensors.
///
/// 1. Once the records have been read, a name belongs to at most one model: the one created last.
/// 2. A model that was deleted, or that lost its name to a later model, never comes back.
/// 3. A model already includes all records before its position; only records from there on are applied to it.
/// 4. Each creation has a greater count than all before it. Its uid is made from the directory's seed and that count,
///    so no uid is reused. A creation that is read again gets the uid that was decided the first time.
/// 5. Records are applied in the order of the log: no position is applied twice, and none after a later one.
/// 6. A name is assigned to one model at a time: from the decision of a creation until it is applied or forgotten.
struct DirectoryState {
    /// An existing model.
    struct Entry: Equatable {
        let name: Name
        /// The position of the first record that the model does not include.
        var position: UInt64
    }

    /// What the reader of a record must do.
    enum Effect: Equatable {
        /// Build the model; the models in `retiring` have lost their name to it.
        case create(ModelUID, retiring: [ModelUID])
        /// Release the model.
        case retire(ModelUID)
        /// Pass the record to the model.
        case command(ModelUID, CommandKind)
        /// Skip versions of the models.
        case skip(versions: Int, of: [ModelUID])
        /// Nothing: the record is part of a snapshot, or its model no longer exists.
        case none
    }

    /// A list of models, written when part of the journal was deleted.
    private struct List {
        var id: UInt64
        var names: [ModelUID: Name]
        /// The first position that the journal kept.
        var position: UInt64
    }

    /// The answers of creations and deletions with a key.
    var keys: KeyLedger
    /// Names being assigned, each with its previous model.
    var underWay: [Name: ModelUID?] = [:]
    /// The existing models.
    private(set) var models: [ModelUID: Entry] = [:]
    /// Seed and count of the directory's uids; nil until a snapshot or record has them.
    private(set) var uids: UIDSource?
    /// Models known to be deleted or replaced.
    private(set) var gone: Set<ModelUID> = []
    /// A model that has records but is otherwise unknown.
    private(set) var unexplained: ModelUID?
    private var list: List?
    /// The names of all known creations, including those of models that no longer exist.
    private var names: [ModelUID: Name] = [:]
    private var created: Set<Name> = []
    private var deleted: Set<ModelUID> = []
    /// Lists before this snapshot file number contain models that a salvage gave up.
    private var firstTrusted: UInt64 = 0
    /// The count of the last creation, and the position after the last record.
    private var (lastCount, position): (UInt64, UInt64) = (0, 0)

    /// Makes the state of an empty directory; a reader without requests keeps no keys.
    init(uids: UIDSource? = nil, keys: KeyLedger = KeyLedger()) { (self.uids, self.keys) = (uids, keys) }

    // MARK: Snapshots, before the records

    /// Adds a model found in a snapshot; the newest snapshot counts.
    mutating func add(_ uid: ModelUID, name: Name, position: UInt64) {
        names[uid] = name
        models[uid] = Entry(name: name, position: max(position, models[uid]?.position ?? 0))
    }

    /// Adds a list of models; of several, the newest counts.
    mutating func add(list id: UInt64, _ census: Census, uids: UIDSource?, position: UInt64) {
        if let uids, self.uids.map({ $0.count < uids.count }) ?? true { self.uids = uids }
        guard list.map({ $0.id < id }) ?? true else { return }
        list = List(id: id, names: census.names.mapValues { Name($0) }, position: position)
        keys.restore(census.keys)
    }

    // MARK: Records

    /// Applies a record: the only function that changes the directory, live and on every later reading.
    ///
    /// - Parameters:
    ///   - key: the key of a creation; stored after its tensors, outside the head.
    ///   - step: the initial step of the new model; also stored outside the head.
    /// - Returns: What the reader must do.
    mutating func apply(
        _ head: RecordHead, under key: RequestKey? = nil, step: Int = 0, at position: UInt64
    ) -> Effect {
        invariant(position >= self.position, "5: record \(position) after \(self.position)")
        self.position = position + 1
        switch head {
        case .create(let uid, let name, let count):
            if let key { keys.finish(key, .created(uid, step: step), at: position) }
            return create(uid, name, count, at: position)
        case .delete(let uid, let key):
            if let key { keys.finish(key, .deleted, at: position) }
            deleted.insert(uid)
            return retire(uid) ? .retire(uid) : .none
        case .command(let uid, let kind):
            guard let entry = models[uid] else {
                if !gone.contains(uid) { unexplained = unexplained ?? uid }
                return .none
            }
            return position >= entry.position ? .command(uid, kind) : .none
        case .salvage(let salvage):
            firstTrusted = salvage.firstTrustedSnapshot
            note(salvage.uids.count, orElse: salvage.uids)
            let touched = models.filter { position >= $0.value.position }
            return .skip(versions: salvage.versions, of: touched.keys.sorted(by: isOlder))
        }
    }

    /// The journal may start before the name was given to the model in a snapshot.
    private mutating func create(_ uid: ModelUID, _ name: Name, _ count: UInt64, at position: UInt64) -> Effect {
        let number = UInt32(truncatingIfNeeded: count)
        note(count, orElse: UIDSource(seed: uid.number &- number))
        invariant(count > lastCount && age(uid) == number, "4: \(uid) is creation \(count) after \(lastCount)")
        lastCount = count
        underWay.removeValue(forKey: name)
        names[uid] = name
        created.insert(name)
        guard models[uid] == nil else { return .none }
        let namesakes = models.filter { $0.value.name == name }.keys.sorted(by: isOlder)
        if namesakes.contains(where: { isOlder(uid, $0) }) {
            gone.insert(uid)
            return .none
        }
        for older in namesakes { _ = retire(older) }
        invariant(!gone.contains(uid), "2: \(uid) comes back")
        models[uid] = Entry(name: name, position: position)
        return .create(uid, retiring: namesakes)
    }

    /// Ends the reading: after a crash, a snapshot may belong to a model that has lost its name.
    ///
    /// - Returns: The models that have lost their name.
    mutating func finish() -> [ModelUID] {
        var taken: Set<Name> = []
        let older = models.keys.sorted(by: isOlder).reversed().filter { !taken.insert(models[$0]?.name ?? "").inserted }
        for uid in older { _ = retire(uid) }
        invariant(Set(models.values.map(\.name)).count == models.count, "1: two models have one name")
        return older
    }

    private mutating func retire(_ uid: ModelUID) -> Bool {
        gone.insert(uid)
        return models.removeValue(forKey: uid) != nil
    }

    private func isOlder(_ one: ModelUID, _ other: ModelUID) -> Bool { age(one) < age(other) }

    /// The count of models in the directory when this one was created.
    private func age(_ uid: ModelUID) -> UInt32 { uid.number &- (uids?.seed ?? 0) }

    // MARK: Uids

    /// The current seed and count of uids; a directory without them starts here.
    mutating func beginUIDs() -> UIDSource {
        let source = uids ?? UIDSource()
        uids = source
        return source
    }

    /// The uid of the next creation, and the number of creations including it.
    mutating func nextUID() -> (uid: ModelUID, count: UInt64) {
        var source = beginUIDs()
        let uid = source.next()
        uids = source
        return (uid, source.count)
    }

    /// The record to write after this many records may have been shown and lost: each can have raised a version, or the
    /// count of models, by at most one.
    mutating func gap(of records: UInt64) -> SalvageRecord {
        var uids = beginUIDs()
        uids.note(uids.count + records)
        return SalvageRecord(versions: Int(clamping: records), uids: uids, firstTrustedSnapshot: firstTrusted)
    }

    private mutating func note(_ count: UInt64, orElse source: UIDSource) {
        uids = uids ?? source
        uids?.note(count)
    }
}

// MARK: Questions

extension DirectoryState {
    /// The newest known creation of a name, and whether it was deleted.
    func newest(called name: Name) -> (uid: ModelUID, isDeleted: Bool)? {
        names.filter { $0.value == name }.keys.max(by: isOlder).map { ($0, deleted.contains($0)) }
    }

    /// The models in the list that do not exist although no deletion was read, in words.
    var missing: [String] {
        (list?.names ?? [:]).filter { uid, name in
            models[uid] == nil && !gone.contains(uid) && !created.contains(name)
        }.map { "\($0.value) (\($0.key))" }.sorted()
    }

    /// The name of a model on the list.
    func listedName(of uid: ModelUID) -> Name? { list?.names[uid] }

    /// Whether there is a list of models.
    var hasList: Bool { list != nil }

    /// Whether no model in the list was given up by a salvage.
    var isListTrusted: Bool { list.map { $0.id >= firstTrusted } ?? false }

    /// Whether a journal that starts with `first` has lost records that existed when the list was written; models
    /// created in them are unknown.
    func lacksRecords(before first: UInt64) -> Bool { isListTrusted && list.map { $0.position < first } ?? false }

    /// Whether it is unknown which models existed, because the journal has lost its beginning.
    var lacksList: Bool { list == nil && firstTrusted == 0 }

    /// A model that needs records from before `first`, the start of the journal.
    func modelNeedingRecords(before first: UInt64) -> (uid: ModelUID, entry: Entry)? {
        models.filter { $0.value.position < first }.min { isOlder($0.key, $1.key) }.map { ($0.key, $0.value) }
    }
}
