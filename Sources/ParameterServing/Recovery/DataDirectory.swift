// The directory on disk: the journal, the snapshots that keep it short, and the users' checkpoints.

import Journal

/// The files of a daemon.
public final class DataDirectory: Sendable {
    /// The kind of a file in the snapshot store.
    enum Kind: UInt16 {
        /// A model's whole state.
        case model = 1
        /// The count of models ever created, so that uids are never reused.
        case registry = 2
        /// A model's whole state, kept on request.
        case checkpoint = 3
    }

    /// The directory's path.
    public let path: String
    let disk: any FileSystem
    let snapshots: SnapshotStore
    let checkpoints: SnapshotStore
    let settings: JournalSettings
    /// Held before anything is read, so that no one else changes the directory meanwhile; nil for reading only.
    let claim: DirectoryClaim?

    /// Claims a directory and creates what is missing; recovery opens the journal.
    ///
    /// - Throws: `inUse` if another process has it; `failed` if it cannot be created.
    public convenience init(_ path: String, settings: JournalSettings) throws(JournalError) {
        try self.init(path, on: POSIXFileSystem(), settings: settings)
    }

    /// As above, on any file system.
    package init(_ path: String, on disk: any FileSystem, settings: JournalSettings) throws(JournalError) {
        self.path = path
        self.disk = disk
        self.settings = settings
        claim = try DirectoryClaim(path + "/journal", on: disk)
        snapshots = try SnapshotStore(directory: path + "/snapshots", on: disk)
        checkpoints = try SnapshotStore(directory: path + "/checkpoints", on: disk)
    }

    /// Opens a directory for reading, perhaps one that a daemon has open; creates and changes nothing.
    public convenience init(reading path: String) { self.init(reading: path, on: POSIXFileSystem()) }

    /// As above, on any file system.
    package init(reading path: String, on disk: any FileSystem) {
        self.path = path
        self.disk = disk
        settings = JournalSettings()
        claim = nil
        snapshots = SnapshotStore(reading: path + "/snapshots", on: disk)
        checkpoints = SnapshotStore(reading: path + "/checkpoints", on: disk)
    }

    /// The path of the journal.
    var journalPath: String { path + "/journal" }
}
