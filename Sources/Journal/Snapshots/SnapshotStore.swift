// The snapshot files of one directory: create, list, open, delete. The directory may be the journal's own; recovery
// snapshots and users' checkpoints have the same format and differ in `kind`.

import Glibc
import Threading

/// A directory of snapshots.
///
/// Any thread may use it, but only one process at a time.
public final class SnapshotStore: Sendable {
    private let directory: Directory
    private let nextID: Locked<UInt64>
    /// Headers that have been read: a file does not change after it has its name.
    private let known = Locked<[UInt64: SnapshotInfo]>([:])
    /// Damage after an intact header, as far as it has been found.
    private let met = Locked<[UInt64: JournalError]>([:])

    /// Opens the store, creating the directory if it is missing.
    public convenience init(directory: String) throws(JournalError) {
        try self.init(directory: directory, on: POSIXFileSystem())
    }

    /// A store opened for reading, perhaps another process's; nothing may be written.
    package init(reading directory: String, on disk: any FileSystem) {
        self.directory = Directory(directory, on: disk)
        nextID = Locked(0)
    }

    /// Makes a store on any file system.
    package init(directory path: String, on disk: any FileSystem) throws(JournalError) {
        let directory = Directory(path, on: disk)
        try directory.create()
        var last: UInt64 = 0
        for name in try directory.fileNames() {
            last = max(last, FileName.snapshot.number(of: name) ?? 0)
        }
        self.directory = directory
        nextID = Locked(last + 1)
    }

    /// Removes what a crash left unfinished; only for the process that writes to the store.
    public func removeLeftovers() throws(JournalError) {
        for name in try directory.fileNames() where name.hasSuffix(FileName.snapshot.suffix + FileName.unfinished) {
            try directory.writing(name) { () throws(SystemError) in try directory.remove(name) }
        }
    }

    /// Moves damaged snapshots aside, as `salvaged-...`; for users who have decided to continue without them.
    ///
    /// - Returns: The files that now contain them.
    public func setDamagedAside() throws(JournalError) -> [String] {
        var moved: [String] = []
        for id in try directory.fileNames().compactMap(FileName.snapshot.number).sorted() {
            do throws(JournalError) {
                try open(id).verify()
            } catch {
                guard case .corrupted = error else { throw error }
                moved.append(try directory.moveAside(FileName.snapshot(id)))
            }
        }
        return moved
    }

    /// Starts a snapshot of `model` that contains every record before `position`.
    ///
    /// Records before `position` must be durable first (`Journal.flush`), or a power cut could leave a snapshot that is
    /// ahead of its journal. A label longer than `SnapshotInfo.maximumLabel` is truncated.
    public func create(
        kind: UInt16, model: UInt32, position: UInt64, label: [UInt8] = []
    ) throws(JournalError) -> SnapshotWriter {
        let id = nextID.withLock { next in
            defer { next += 1 }
            return next
        }
        let label = Array(label.prefix(SnapshotInfo.maximumLabel))
        return try SnapshotWriter(
            directory,
            info: SnapshotInfo(id: id, kind: kind, model: model, position: position, label: label, length: 0))
    }

    /// The content of the store, judged by headers and by damage found so far.
    ///
    /// Opens only files that are new since the last listing, and damaged ones.
    public func list() throws(JournalError) -> SnapshotListing {
        let (before, met) = (known.withLock { $0 }, met.withLock { $0 })
        var listing = SnapshotListing()
        for id in try directory.fileNames().compactMap(FileName.snapshot.number).sorted() {
            do throws(JournalError) {
                if let damage = met[id] { throw damage }
                let info = if let known = before[id] { known } else { try header(of: id) }
                listing.snapshots.append(info)
            } catch {
                if error.isGone { continue }
                // A lack of descriptors or memory says nothing about the file.
                guard !error.isWant else { throw error }
                listing.damaged[id] = DamagedSnapshot(id, error, in: directory)
            }
        }
        let now = Dictionary(listing.snapshots.map { ($0.id, $0) }, uniquingKeysWith: { _, last in last })
        known.withLock { $0 = now }
        return listing
    }

    private func header(of id: UInt64) throws(JournalError) -> SnapshotInfo {
        try SnapshotReader(FileName.snapshot(id), id: id, in: directory, capacity: SnapshotHeader.size).info
    }

    /// Opens a snapshot for reading; damage found there is listed from then on.
    public func open(_ id: UInt64) throws(JournalError) -> SnapshotReader {
        let note: (JournalError) -> Void = { [met] damage in met.withLock { $0[id] = damage } }
        do {
            return try SnapshotReader(FileName.snapshot(id), id: id, in: directory, noteDamage: note)
        } catch {
            if case .corrupted = error { note(error) }
            throw error
        }
    }

    /// Deletes a snapshot, durably.
    public func delete(_ id: UInt64) throws(JournalError) { try delete([id]) }

    /// Deletes snapshots, durably; a crash in between may leave any of them.
    ///
    /// Two threads may delete the same one.
    public func delete(_ ids: [UInt64]) throws(JournalError) {
        guard !ids.isEmpty else { return }
        for id in ids {
            let name = FileName.snapshot(id)
            try directory.writing(name) { () throws(SystemError) in
                do throws(SystemError) {
                    try directory.remove(name)
                } catch {
                    if error.code != ENOENT { throw error }
                }
            }
            met.withLock { $0[id] = nil }
        }
        try directory.writing("the directory") { () throws(SystemError) in try directory.synchronize() }
        for _ in ids { Failpoint.reach(.snapshotDeleted) }
    }

    /// Deletes all snapshots of this kind and model except the newest `count` (at least 1).
    ///
    /// - Returns: The position that the oldest kept snapshot covers: the journal is needed from there on. `nil` if
    ///   there is none.
    @discardableResult
    public func prune(kind: UInt16, model: UInt32, keeping count: Int = 2) throws(JournalError) -> UInt64? {
        try prune(kind: kind, models: [model], keeping: count)[model]
    }

    /// As above, for several models.
    ///
    /// - Returns: The position of each model that has a snapshot.
    public func prune(
        kind: UInt16, models: Set<UInt32>, keeping count: Int = 2
    ) throws(JournalError) -> [UInt32: UInt64] {
        let theirs = try list().snapshots.filter { $0.kind == kind && models.contains($0.model) }
        var (oldest, obsolete): ([UInt32: UInt64], [UInt64]) = ([:], [])
        for (model, mine) in Dictionary(grouping: theirs, by: \.model) {
            let sorted = mine.sorted { ($0.position, $0.id) < ($1.position, $1.id) }
            let kept = sorted.suffix(max(1, count))
            oldest[model] = kept.first?.position
            obsolete += sorted.dropLast(kept.count).map(\.id)
        }
        try delete(obsolete)
        return oldest
    }
}
