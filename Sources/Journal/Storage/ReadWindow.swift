// Random access to a file through one reused buffer: sequential readers read each byte from disk once. Used by
// SegmentReader and SnapshotReader; plain reads, because a failing disk answers those with an error but a mapped page
// with a signal.

import Glibc

/// A file open for reading, and the part of it that is in memory.
final class ReadWindow {
    let name: String
    private(set) var size: Int
    private let directory: Directory
    private var disk: any FileSystem { directory.disk }
    private let file: Int32
    private var buffer: UnsafeMutableRawBufferPointer
    private var loaded = 0..<0

    /// Opens the file and reads `capacity` bytes at a time.
    init(_ name: String, in directory: Directory, capacity: Int = 1 << 20) throws(JournalError) {
        self.name = name
        self.directory = directory
        do {
            file = try directory.open(name, .read)
        } catch {
            throw JournalError(inaccessible: name, error)
        }
        do {
            size = try directory.disk.size(file)
        } catch {
            directory.disk.close(file)
            throw JournalError(inaccessible: name, error)
        }
        buffer = .allocate(byteCount: capacity, alignment: 4096)
    }

    deinit {
        disk.close(file)
        buffer.deallocate()
    }

    /// Makes the file durable and drops it from the page cache, so that reads come from the disk.
    func settle() throws(JournalError) {
        do {
            try disk.synchronize(file)
        } catch {
            throw JournalError(inaccessible: name, error)
        }
        forget()
    }

    /// Whether the name still belongs to the file that was opened: a live journal renames segments that it does not
    /// need, and writes other records into them.
    var isNamed: Bool { disk.isNamed(file, directory.path(of: name)) ?? true }

    /// The error of a file that has lost its name.
    var gone: JournalError { .inaccessible(file: name, call: "open", code: ENOENT) }

    /// Discards the buffer: another thread may have written meanwhile.
    func reload() {
        loaded = 0..<0
    }

    /// Makes later reads come from the disk.
    ///
    /// Unsynced data stays in memory.
    func forget() {
        reload()
        disk.discardCache(file)
    }

    /// The bytes of `range`, which must be in the file; valid until the next call.
    func bytes(_ range: Range<Int>) throws(JournalError) -> UnsafeRawBufferPointer {
        if range.lowerBound < loaded.lowerBound || range.upperBound > loaded.upperBound { try load(range) }
        let start = range.lowerBound - loaded.lowerBound
        return UnsafeRawBufferPointer(rebasing: buffer[start..<start + range.count])
    }

    private func load(_ range: Range<Int>) throws(JournalError) {
        if range.count > buffer.count {
            buffer.deallocate()
            buffer = .allocate(byteCount: range.count, alignment: 4096)
        }
        let wanted = min(buffer.count, size - range.lowerBound)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        loaded = 0..<0
        let count: Int
        do {
            count = try disk.readAll(file, into: target, at: range.lowerBound)
        } catch {
            throw JournalError(inaccessible: name, error)
        }
        if count < wanted { try expectCut(at: range.lowerBound + count) }
        // When a journal moves to the next segment, it cuts this one after its records: zeros before, zeros after.
        UnsafeMutableRawBufferPointer(rebasing: target[count...]).initializeMemory(as: UInt8.self, repeating: 0)
        loaded = range.lowerBound..<range.lowerBound + wanted
    }

    /// Refuses a short read if the file has not become shorter.
    private func expectCut(at offset: Int) throws(JournalError) {
        let now: Int
        do {
            now = try disk.size(file)
        } catch {
            throw JournalError(inaccessible: name, error)
        }
        guard now <= offset else { throw .corrupted(file: name, offset: offset, reason: "the file ends early") }
    }
}
