// One process per directory. Claim it before reading any file; what was read before could be out of date.

import Threading

/// The right to write to a directory, until `release` or the claim's end.
public final class DirectoryClaim: Sendable {
    private let lock: Locked<DirectoryLock?>

    /// Claims the directory, creating it if it is missing.
    ///
    /// - Throws: `.inUse`, and the errors of creating the directory.
    package convenience init(_ path: String, on disk: any FileSystem) throws(JournalError) {
        try self.init(Directory(path, on: disk))
    }

    init(_ directory: Directory) throws(JournalError) {
        try directory.create()
        lock = Locked(try DirectoryLock(directory))
    }

    deinit { release() }

    /// Releases the directory; does nothing the second time.
    func release() {
        let held = lock.withLock { lock in
            defer { lock = nil }
            return lock
        }
        held?.release()
    }
}
