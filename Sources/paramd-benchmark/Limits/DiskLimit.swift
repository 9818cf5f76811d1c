// What the disk allows: a write and a sync of bytes into a file whose blocks exist.

import CReference
import Glibc
import Threading

/// A file that was written before.
struct DiskLimit {
    private let path: String
    private let piece: [UInt8]

    /// - Parameter bytes: written at a time.
    init(_ path: String, bytes: Int) {
        self.path = path
        piece = [UInt8](repeating: 0x5A, count: bytes)
    }

    /// Seconds for one write and fdatasync.
    func write() throws -> Double {
        let file = open(path, O_RDWR)
        guard file >= 0 else { throw BenchmarkError("\(path) cannot be opened: \(String(cString: strerror(errno))).") }
        defer { close(file) }
        let begin = Clock.now
        try Self.write(piece, to: file, at: 0)
        guard fdatasync(file) == 0 else { throw BenchmarkError("fdatasync of \(path) failed.") }
        return Double(Clock.now - begin) / 1e9
    }

    /// Refuses a folder that is missing, or in memory, where a sync costs nothing.
    static func check(_ folder: String) throws {
        var facts = statfs()
        guard statfs(folder, &facts) == 0 else {
            throw BenchmarkError("\(folder) cannot be used: \(String(cString: strerror(errno))). Pass --place.")
        }
        guard facts.f_type != 0x0102_1994 else {  // TMPFS_MAGIC
            throw BenchmarkError("\(folder) is in memory; pass --place with a folder on a disk.")
        }
    }

    /// Writes a new file of at least this size, in whole mebibytes, and syncs it.
    static func fill(_ path: String, bytes: Int) throws {
        let file = open(path, O_RDWR | O_CREAT, 0o600)
        guard file >= 0 else { throw BenchmarkError("\(path) cannot be made: \(String(cString: strerror(errno))).") }
        defer { close(file) }
        let piece = [UInt8](repeating: 1, count: 1 << 20)
        for start in stride(from: 0, to: bytes, by: piece.count) { try write(piece, to: file, at: start) }
        guard fsync(file) == 0 else { throw BenchmarkError("fsync of \(path) failed.") }
    }

    private static func write(_ bytes: [UInt8], to file: Int32, at start: Int) throws {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                pwrite(file, raw.baseAddress.map { $0 + written }, bytes.count - written, start + written)
            }
            guard count > 0 else { throw BenchmarkError("A write failed: \(String(cString: strerror(errno))).") }
            written += count
        }
    }
}
