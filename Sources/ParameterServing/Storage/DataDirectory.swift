// The directory on disk: the journal, the snapshots that make it short, the checkpoints that people asked for.

import Glibc
import Journal

/// What a daemon keeps on disk.
public final class DataDirectory: Sendable {
    /// What a file of the snapshot store is.
    enum Kind: UInt16 {
        /// A model's whole state.
        case model = 1
        /// The count of models ever created, so that uids never come back.
        case registry = 2
        /// A model's whole state, kept because somebody asked.
        case checkpoint = 3
    }

    /// The directory's path.
    public let path: String
    let snapshots: SnapshotStore
    let checkpoints: SnapshotStore
    let settings: JournalSettings

    /// Opens a directory and makes what is missing; the journal is opened by recovery.
    ///
    /// - Throws: `inaccessible` where the directory cannot be made or read.
    public init(_ path: String, settings: JournalSettings) throws(JournalError) {
        self.path = path
        self.settings = settings
        if mkdir(path, 0o700) != 0, errno != EEXIST {
            throw .inaccessible(file: "the data directory", call: "mkdir", code: errno)
        }
        snapshots = try SnapshotStore(directory: path + "/snapshots")
        checkpoints = try SnapshotStore(directory: path + "/checkpoints")
    }

    /// Where the journal lies.
    var journalPath: String { path + "/journal" }
}
