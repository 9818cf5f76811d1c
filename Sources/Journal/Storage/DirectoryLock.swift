// One journal per directory: an advisory lock on the directory itself, which the kernel releases when the process ends
// for any reason. A lock file could be removed, and a second process would lock a new one of the same name.

import Glibc

/// The lock, held until `release`.
struct DirectoryLock: Sendable {
    private let held: Int32
    private let disk: any FileSystem

    /// Takes the lock and stores the process id in a file, for the message of a process that is refused.
    init(_ directory: Directory) throws(JournalError) {
        disk = directory.disk
        let disk = disk
        let taken = try directory.writing("the directory") { () throws(SystemError) in
            try disk.lock(directory.path)
        }
        guard let taken else { throw .inUse(processID: DirectoryLock.holder(directory)) }
        held = taken
        try? DirectoryLock.note(directory)
    }

    func release() {
        disk.close(held)
    }

    private static func note(_ directory: Directory) throws(SystemError) {
        let file = try directory.open(FileName.lock, .create)
        defer { directory.disk.close(file) }
        try directory.disk.writeAll(Array("\(getpid())\n".utf8), to: file, at: 0)
    }

    private static func holder(_ directory: Directory) -> Int? {
        guard let window = try? ReadWindow(FileName.lock, in: directory, capacity: 4096),
            let bytes = try? window.bytes(0..<min(window.size, 16))
        else { return nil }
        return Int(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }
}
