// The real disk: each operation is one system call, repeated on EINTR. Descriptors are close-on-exec. Used everywhere
// outside the tests.

import CFiles
import Glibc

/// The operating system's files.
package struct POSIXFileSystem: FileSystem {
    package init() {}

    package func createDirectory(_ path: String) throws(SystemError) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            if mkdir(String(path[..<end]), 0o700) == 0 {
                try synchronizeDirectory(String(path[..<end]) + "/..")
            } else if errno != EEXIST {
                throw SystemError("mkdir", errno)
            }
        }
    }

    package func lock(_ directory: String) throws(SystemError) -> Int32? {
        let file = try openDirectory(directory)
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            if code == EINTR { continue }
            _ = Glibc.close(file)
            if code == EWOULDBLOCK { return nil }
            throw SystemError("flock", code)
        }
        return file
    }

    package func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> Int32 {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .update: O_RDWR | O_NOFOLLOW
            case .direct: O_WRONLY | O_NOFOLLOW | paramd_direct_flag()
            case .create: O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW
            }
        return try Self.check("open") { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
    }

    package func close(_ file: Int32) {
        _ = Glibc.close(file)
    }

    package func write(
        _ buffers: UnsafeBufferPointer<iovec>, to file: Int32, at offset: Int
    ) throws(SystemError) -> Int {
        try Self.check("pwritev") { pwritev(file, buffers.baseAddress, Int32(buffers.count), offset) }
    }

    package func read(
        _ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(SystemError) -> Int {
        try Self.check("pread") { pread(file, buffer.baseAddress, buffer.count, offset) }
    }

    package func synchronize(_ file: Int32) throws(SystemError) {
        _ = try Self.check("fdatasync") { fdatasync(file) }
    }

    package func openDirectory(_ path: String) throws(SystemError) -> Int32 {
        try Self.check("open") { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    }

    package func synchronizeNames(_ directory: Int32) throws(SystemError) {
        _ = try Self.check("fsync") { fsync(directory) }
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        _ = try Self.check("rename") { Glibc.rename(from, to) }
    }

    package func remove(_ path: String) throws(SystemError) {
        _ = try Self.check("unlink") { unlink(path) }
    }

    package func allocate(_ file: Int32, size: Int) throws(SystemError) {
        // This call returns its error. If the file system cannot reserve space, glibc writes to each block instead.
        var code = posix_fallocate(file, 0, size)
        while code == EINTR { code = posix_fallocate(file, 0, size) }
        if code != 0 { throw SystemError("fallocate", code) }
    }

    package func truncate(_ file: Int32, size: Int) throws(SystemError) {
        _ = try Self.check("ftruncate") { ftruncate(file, size) }
    }

    package func size(_ file: Int32) throws(SystemError) -> Int {
        var status = stat()
        _ = try Self.check("fstat") { fstat(file, &status) }
        return Int(status.st_size)
    }

    package func links(_ file: Int32) throws(SystemError) -> Int {
        var status = stat()
        _ = try Self.check("fstat") { fstat(file, &status) }
        return Int(status.st_nlink)
    }

    package func isNamed(_ file: Int32, _ path: String) -> Bool? {
        var (one, other) = (stat(), stat())
        guard fstat(file, &one) == 0 else { return nil }
        guard stat(path, &other) == 0 else { return errno == ENOENT || errno == ENOTDIR ? false : nil }
        return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    }

    package func changeTime(_ directory: String) -> Int64? {
        var status = stat()
        guard stat(directory, &status) == 0 else { return nil }
        return Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    }

    package func freeBytes(_ directory: String) -> Int? {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else { return nil }
        let (bytes, overflows) = Int(clamping: status.f_bavail).multipliedReportingOverflow(by: Int(status.f_frsize))
        return overflows ? .max : bytes
    }

    package func list(_ directory: String) throws(SystemError) -> [DirectoryEntry] {
        guard let stream = opendir(directory) else { throw SystemError("opendir", errno) }
        defer { closedir(stream) }
        var entries: [DirectoryEntry] = []
        errno = 0
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
            }
            let isDirectory = entry.pointee.d_type == UInt8(DT_DIR)
            if name != "." && name != ".." { entries.append(DirectoryEntry(name: name, isDirectory: isDirectory)) }
            errno = 0
        }
        if errno != 0 { throw SystemError("readdir", errno) }
        return entries.sorted { $0.name < $1.name }
    }

    package func discardCache(_ file: Int32) {
        _ = posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    }

    /// The call's result; repeated while interrupted; throws errno if the call returns -1.
    static func check<Result: SignedInteger>(
        _ name: String, _ call: () -> Result
    ) throws(SystemError) -> Result {
        while true {
            let result = call()
            if result != -1 { return result }
            if errno != EINTR { throw SystemError(name, errno) }
        }
    }
}
