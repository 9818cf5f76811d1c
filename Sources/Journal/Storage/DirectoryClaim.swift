// One process per directory. The claim comes before the first look at a file: what was read before could be out of date.

import Threading

/// The right to write to a directory, held until `release` or the claim's end.
public final class DirectoryClaim: Sendable {
    private let lock: Locked<DirectoryLock?>

    /// Claims the directory, which is made if it is missing.
    ///
    /// - Throws: `.inUse`, and what making the directory throws.
    package convenience init(_ path: String, on disk: any FileSystem) throws(JournalError) {
        try self.init(Directory(path, on: disk))
    }

    init(_ directory: Directory) throws(JournalError) {
        try directory.create()
        lock = Locked(try DirectoryLock(directory))
    }

    deinit { release() }

    /// Lets others have the directory; again does nothing.
    func release() {
        let held = lock.withLock { lock in
            defer { lock = nil }
            return lock
        }
        held?.release()
    }
}
