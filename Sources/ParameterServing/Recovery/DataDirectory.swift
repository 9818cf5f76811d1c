// The directory on disk: the journal, the snapshots that make it short, the checkpoints that people asked for.

import Journal

/// What a daemon keeps on disk.
public final class DataDirectory: Sendable {
    /// What a file of the snapshot store is.
    enum Kind: UInt16 {
        /// A model's whole state.
        case model = 1
        /// The count of models ever created, so that uids never come back.
        case registry = 2
        /// A model's whole state, kept because someone asked.
        case checkpoint = 3
    }

    /// The directory's path.
    public let path: String
    let disk: any FileSystem
    let snapshots: SnapshotStore
    let checkpoints: SnapshotStore
    let settings: JournalSettings
    /// Held before anything is read, so that no one else changes it meanwhile; nil for a look only.
    let claim: DirectoryClaim?

    /// Claims a directory and makes what is missing; the journal is opened by recovery.
    ///
    /// - Throws: `inUse` where another process has it; `failed` where it cannot be made.
    public convenience init(_ path: String, settings: JournalSettings) throws(JournalError) {
        try self.init(path, on: POSIXFileSystem(), settings: settings)
    }

    /// The same on any file system.
    package init(_ path: String, on disk: any FileSystem, settings: JournalSettings) throws(JournalError) {
        self.path = path
        self.disk = disk
        self.settings = settings
        claim = try DirectoryClaim(path + "/journal", on: disk)
        snapshots = try SnapshotStore(directory: path + "/snapshots", on: disk)
        checkpoints = try SnapshotStore(directory: path + "/checkpoints", on: disk)
    }

    /// A directory to look at, perhaps one that a daemon has open; nothing is made or changed.
    public convenience init(reading path: String) { self.init(reading: path, on: POSIXFileSystem()) }

    /// The same on any file system.
    package init(reading path: String, on disk: any FileSystem) {
        self.path = path
        self.disk = disk
        settings = JournalSettings()
        claim = nil
        snapshots = SnapshotStore(reading: path + "/snapshots", on: disk)
        checkpoints = SnapshotStore(reading: path + "/checkpoints", on: disk)
    }

    /// Where the journal is.
    var journalPath: String { path + "/journal" }
}
