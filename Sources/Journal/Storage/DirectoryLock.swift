// One journal per directory: an advisory lock that the kernel drops with the process, however it ends.

import Glibc

/// The lock file, held until `release`.
struct DirectoryLock: Sendable {
    private let file: Int32
    private let disk: any FileSystem

    /// Takes the lock and leaves the process's id in the file for whoever is refused.
    init(_ directory: Directory) throws(JournalError) {
        disk = directory.disk
        let path = directory.path(of: FileName.lock)
        let disk = disk
        let taken = try directory.writing(FileName.lock) { () throws(SystemError) in try disk.lock(path) }
        guard let taken else { throw .inUse(processID: DirectoryLock.holder(directory)) }
        file = taken
        var note = Array("\(getpid())\n".utf8)
        note += [UInt8](repeating: 0x20, count: max(0, 16 - note.count))
        try? disk.writeAll(note, to: taken, at: 0)
    }

    func release() {
        disk.close(file)
    }

    private static func holder(_ directory: Directory) -> Int? {
        guard let window = try? ReadWindow(FileName.lock, in: directory, capacity: 4096),
            let bytes = try? window.bytes(0..<min(window.size, 16))
        else { return nil }
        return Int(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }
}
