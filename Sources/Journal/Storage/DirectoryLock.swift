// One journal per directory: an advisory lock that the kernel drops with the process, however it ends.

import Glibc

/// The lock file, held until `release`.
struct DirectoryLock: Sendable {
    private let file: Int32
    private let disk: any FileSystem

    /// Takes the lock and leaves the process's id in the file for whoever is refused.
    init(_ directory: Directory) throws(JournalError) {
        disk = directory.disk
        let path = directory.path(of: SegmentName.lock)
        let taken: Int32?
        do {
            taken = try disk.lock(path)
        } catch {
            throw JournalError(writing: SegmentName.lock, error)
        }
        guard let taken else { throw .inUse(processID: DirectoryLock.holder(directory)) }
        file = taken
        var note = Array("\(getpid())\n".utf8)
        note += [UInt8](repeating: 0x20, count: max(0, 16 - note.count))
        note.withUnsafeBytes { try? disk.writeAll($0, to: taken, at: 0) }
    }

    func release() {
        disk.close(file)
    }

    private static func holder(_ directory: Directory) -> Int? {
        guard let window = try? ReadWindow(SegmentName.lock, in: directory, capacity: 4096),
            let bytes = try? window.bytes(0..<min(window.size, 16))
        else { return nil }
        return Int(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }
}
