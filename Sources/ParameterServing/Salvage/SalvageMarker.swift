// A salvage first moves files aside and then records in the journal how much that may have been. A crash in between
// must not look like an undamaged directory, or versions that clients have seen would return with other content.

import Glibc
import Journal

/// A file that exists from before the first change of a salvage until its record is durable.
struct SalvageMarker {
    private static let name = "SALVAGE"
    private let directory: String

    init(_ directory: String) {
        self.directory = directory
    }

    private var path: String { "\(directory)/\(Self.name)" }

    /// Whether a salvage has started and not ended.
    var isSet: Bool { access(path, F_OK) == 0 }

    /// Creates the file, durably.
    ///
    /// - Returns: Whether it existed before.
    func set() throws(JournalError) -> Bool {
        let wasSet = isSet
        let file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("open") }
        close(file)
        try synchronize()
        return wasSet
    }

    /// Removes the file, durably.
    func clear() throws(JournalError) {
        guard unlink(path) == 0 else { throw failure("unlink") }
        try synchronize()
    }

    /// - Throws: `.corrupted` while a salvage is incomplete.
    func checkClear() throws(JournalError) {
        guard isSet else { return }
        throw .corrupted(file: Self.name, offset: 0, reason: "a salvage was interrupted and has to be run again")
    }

    private func synchronize() throws(JournalError) {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure("open") }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw failure("fsync") }
    }

    private func failure(_ call: String) -> JournalError {
        .inaccessible(file: Self.name, call: call, code: errno)
    }
}
