// Writes one snapshot to disk, with checksums taken as it is written. The file has a temporary name until all of it has
// been synced; only then can SnapshotStore find it.

import Glibc

/// A snapshot being written.
///
/// Used by one thread at a time; end it with `finish` or `abandon`.
public final class SnapshotWriter {
    private let directory: Directory
    private let file: Int32
    private let name: String
    /// A descriptor of the same file for writes past the page cache; nil if the file system has none.
    private let past: Int32?
    private var header: SnapshotHeader
    /// The offset in the file of the first block that is not written.
    private var offset = SnapshotHeader.size
    private var blocks = SnapshotBlocks()
    private var synced = 0
    private var isOpen = true

    /// Sync after this many bytes, so that the journal's own syncs do not wait for all of the file.
    private static let syncInterval = 32 << 20

    init(_ directory: Directory, info: SnapshotInfo) throws(JournalError) {
        self.directory = directory
        name = FileName.snapshot(info.id) + FileName.unfinished
        header = SnapshotHeader(info: info, salt: UInt32.random(in: 0 ... .max))
        let name = name
        file = try directory.writing(name) { () throws(SystemError) in try directory.open(name, .create) }
        past = try? directory.open(name, .direct)
    }

    deinit { abandon() }

    /// Adds bytes to the content.
    ///
    /// - Throws: `.outOfSpace`, `.readOnlyFileSystem`, `.failed`; do not use the writer afterwards.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(JournalError) {
        var bytes = bytes[...]
        header.info.length += bytes.count
        while !bytes.isEmpty {
            bytes = bytes.dropFirst(blocks.add(UnsafeRawBufferPointer(rebasing: bytes), salt: header.salt))
            if blocks.isFull { try writeBlocks() }
        }
    }

    /// Ends the content, makes the file durable, and gives it its name.
    ///
    /// - Parameter isReadBack: Whether to read it from the disk before that: for files with nothing behind them that
    ///   could take their place.
    /// - Returns: The entry in the store's list.
    /// - Throws: the errors of `write`, and `.corrupted` if the disk returns something else than was written. Older
    ///   snapshots are unchanged.
    public func finish(isReadBack: Bool = false) throws(JournalError) -> SnapshotInfo {
        try SnapshotWriter.finish([self], areReadBack: isReadBack)
        return header.info
    }

    /// As above, for several snapshots of one store, whose names share one sync of the directory.
    ///
    /// All files are durable before the first of them gets its name. After an error, some may have theirs; those are
    /// complete.
    public static func finish(_ writers: [SnapshotWriter], areReadBack: Bool = false) throws(JournalError) {
        guard writers.allSatisfy(\.isOpen), let directory = writers.first?.directory else { throw .closed }
        defer { for writer in writers { writer.abandon() } }
        for writer in writers { try writer.end() }
        for writer in writers { try writer.settle(isReadBack: areReadBack) }
        for writer in writers { try writer.takeName() }
        try directory.writing("the directory") { () throws(SystemError) in try directory.synchronize() }
        for _ in writers { Failpoint.reach(.snapshotNamed) }
    }

    /// The entry in the store's list once the snapshot is finished.
    public var info: SnapshotInfo { header.info }

    /// Writes the rest and the header, and starts writing them to disk, so that the syncs of several files share the
    /// work.
    private func end() throws(JournalError) {
        blocks.end(salt: header.salt)
        try writeBlocks()
        try directory.writing(name) { () throws(SystemError) in
            try directory.disk.writeAll(header.encode(), to: file, at: 0)
        }
        directory.disk.discardCache(file)
    }

    private func settle(isReadBack: Bool) throws(JournalError) {
        try directory.writing(name) { () throws(SystemError) in try directory.disk.synchronize(file) }
        if isReadBack { try SnapshotReader(name, id: header.info.id, in: directory, fromDisk: true).verify() }
        Failpoint.reach(.snapshotWritten)
    }

    private func takeName() throws(JournalError) {
        try directory.writing(name) { () throws(SystemError) in
            try directory.rename(name, to: FileName.snapshot(header.info.id))
        }
    }

    /// Discards the snapshot.
    ///
    /// Does nothing after `finish`.
    public func abandon() {
        guard isOpen else { return }
        isOpen = false
        if let past { directory.disk.close(past) }
        directory.disk.close(file)
        try? directory.remove(name)
    }

    /// Writes the blocks that have been filled; a full buffer past the page cache, which would not be read again.
    private func writeBlocks() throws(JournalError) {
        let bytes = blocks.filled
        guard !bytes.isEmpty else { return }
        try directory.writing(name) { () throws(SystemError) in
            guard blocks.isFull, let past else { return try directory.disk.writeAll(bytes, to: file, at: offset) }
            do throws(SystemError) {
                try directory.disk.writeAll(bytes, to: past, at: offset)
            } catch {
                guard error.code == EINVAL else { throw error }
                try directory.disk.writeAll(bytes, to: file, at: offset)
            }
        }
        Failpoint.reach(.snapshotPart)
        offset += bytes.count
        blocks.clear()
        try syncIfDue()
    }

    private func syncIfDue() throws(JournalError) {
        guard offset - synced >= SnapshotWriter.syncInterval else { return }
        try directory.writing(name) { () throws(SystemError) in try directory.disk.synchronize(file) }
        synced = offset
    }
}
