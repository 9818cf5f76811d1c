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
    private var header: SnapshotHeader
    private var offset = SnapshotHeader.size
    private var blocks = 0
    private var synced = 0
    /// The start of a block that is not full yet.
    private var rest: [UInt8] = []
    private var isOpen = true

    /// Sync after this many bytes, so that the journal's own syncs do not wait for all of the file.
    private static let syncInterval = 32 << 20
    /// The most blocks that one call writes.
    private static let blocksPerWrite = 64

    init(_ directory: Directory, info: SnapshotInfo) throws(JournalError) {
        self.directory = directory
        name = FileName.snapshot(info.id) + FileName.unfinished
        header = SnapshotHeader(info: info, salt: UInt32.random(in: 0 ... .max))
        let name = name
        file = try directory.writing(name) { () throws(SystemError) in try directory.open(name, .create) }
        rest.reserveCapacity(SnapshotBlock.content)
    }

    deinit { abandon() }

    /// Adds bytes to the content.
    ///
    /// Full blocks are written without a copy.
    ///
    /// - Throws: `.outOfSpace`, `.readOnlyFileSystem`, `.failed`; do not use the writer afterwards.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(JournalError) {
        var bytes = bytes[...]
        header.info.length += bytes.count
        if !rest.isEmpty {
            let part = bytes.prefix(SnapshotBlock.content - rest.count)
            rest += part
            bytes = bytes.dropFirst(part.count)
            if rest.count == SnapshotBlock.content { try flushRest() }
        }
        while bytes.count >= SnapshotBlock.content {
            let count = min(bytes.count / SnapshotBlock.content, SnapshotWriter.blocksPerWrite)
            let part = bytes.prefix(count * SnapshotBlock.content)
            try writeBlocks(UnsafeRawBufferPointer(rebasing: part))
            bytes = bytes.dropFirst(part.count)
        }
        rest += bytes
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
        if !rest.isEmpty { try flushRest() }
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
        directory.disk.close(file)
        try? directory.remove(name)
    }

    private func flushRest() throws(JournalError) {
        let full = rest
        rest.removeAll(keepingCapacity: true)
        try full.withUnsafeBufferPointer { bytes throws(JournalError) in
            try writeBlocks(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Writes full blocks; the last one of the file may be shorter.
    private func writeBlocks(_ bytes: UnsafeRawBufferPointer) throws(JournalError) {
        let parts = stride(from: 0, to: bytes.count, by: SnapshotBlock.content).map {
            UnsafeRawBufferPointer(rebasing: bytes[$0...].prefix(SnapshotBlock.content))
        }
        var trailers = parts.enumerated().map { index, part in
            SnapshotBlock.trailer(of: part, number: blocks + index, salt: header.salt)
        }
        try directory.writing(name) { () throws(SystemError) in
            try trailers.withUnsafeMutableBufferPointer { trailers throws(SystemError) in
                var vectors = SnapshotWriter.interleave(parts, UnsafeMutableRawBufferPointer(trailers))
                try vectors.withUnsafeMutableBufferPointer { list throws(SystemError) in
                    try directory.disk.writeAll(list, to: file, at: offset)
                }
            }
        }
        Failpoint.reach(.snapshotPart)
        blocks += parts.count
        offset += bytes.count + parts.count * SnapshotBlock.trailer
        try syncIfDue()
    }

    private static func interleave(
        _ parts: [UnsafeRawBufferPointer], _ trailers: UnsafeMutableRawBufferPointer
    ) -> [iovec] {
        parts.enumerated().flatMap { index, part in
            [
                iovec(iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count),
                iovec(
                    iov_base: trailers.baseAddress.map { $0 + index * SnapshotBlock.trailer },
                    iov_len: SnapshotBlock.trailer),
            ]
        }
    }

    private func syncIfDue() throws(JournalError) {
        guard offset - synced >= SnapshotWriter.syncInterval else { return }
        try directory.writing(name) { () throws(SystemError) in try directory.disk.synchronize(file) }
        synced = offset
    }
}
