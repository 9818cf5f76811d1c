// The file operations that the journal needs, so that tests can substitute a disk that fails, tears and forgets. The
// real one is POSIXFileSystem; nothing else in the module makes system calls on files.

import Glibc

/// How a file is opened; writing never follows a symbolic link.
package enum OpenMode: Sendable {
    /// For reading; it must exist.
    case read
    /// For reading and writing; it must exist.
    case update
    /// For writing whole pages of memory to whole pages of the file, past the page cache; it must exist.
    case direct
    /// For reading and writing; a new, empty file that replaces any of that name.
    case create
}

/// A file or directory name in a listing.
package struct DirectoryEntry: Sendable, Equatable {
    package let name: String
    package let isDirectory: Bool

    package init(name: String, isDirectory: Bool) {
        self.name = name
        self.isDirectory = isDirectory
    }
}

/// File operations, each about one system call: the caller continues short writes and reads; interrupted calls (EINTR)
/// are repeated inside.
package protocol FileSystem: Sendable {
    /// Creates the directory and its parents if they are missing.
    func createDirectory(_ path: String) throws(SystemError)
    /// Locks the directory for this process until `close`; `nil` if another holder has it.
    func lock(_ directory: String) throws(SystemError) -> Int32?
    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> Int32
    func close(_ file: Int32)
    /// Writes a prefix of the buffers at the offset; returns its length in bytes, at least 1.
    func write(_ buffers: UnsafeBufferPointer<iovec>, to file: Int32, at offset: Int) throws(SystemError) -> Int
    /// Reads up to the buffer's length; 0 is the end of the file.
    func read(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int
    /// Makes the bytes written durable, and the size if it changed (fdatasync).
    func synchronize(_ file: Int32) throws(SystemError)
    /// Opens a directory for `synchronizeNames`.
    func openDirectory(_ path: String) throws(SystemError) -> Int32
    /// Makes names durable: files created, renamed and removed in the directory (fsync of it).
    func synchronizeNames(_ directory: Int32) throws(SystemError)
    /// Replaces `to` if it exists.
    func rename(_ from: String, to: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    /// Extends the file to at least this size, with space reserved on disk; new bytes are zero.
    func allocate(_ file: Int32, size: Int) throws(SystemError)
    func truncate(_ file: Int32, size: Int) throws(SystemError)
    func size(_ file: Int32) throws(SystemError) -> Int
    /// The number of names that the file has.
    func links(_ file: Int32) throws(SystemError) -> Int
    /// Whether the name still refers to the open file; `nil` if the system does not say.
    func isNamed(_ file: Int32, _ path: String) -> Bool?
    /// When a name in the directory was last added, removed or changed, in nanoseconds since 1970; `nil` if the system
    /// does not say.
    func changeTime(_ directory: String) -> Int64?
    func list(_ directory: String) throws(SystemError) -> [DirectoryEntry]
    /// The bytes that this process may still write on the directory's disk; `nil` if the system does not say.
    func freeBytes(_ directory: String) -> Int?
    /// Asks that later reads come from the disk, not from memory; a hint only.
    func discardCache(_ file: Int32)
}

extension FileSystem {
    /// Makes names durable in the directory at that path.
    func synchronizeDirectory(_ path: String) throws(SystemError) {
        let directory = try openDirectory(path)
        defer { close(directory) }
        try synchronizeNames(directory)
    }

    /// Writes all of the buffers, with as many calls as needed.
    ///
    /// Modifies the `iovec`s.
    func writeAll(_ buffers: UnsafeMutableBufferPointer<iovec>, to file: Int32, at offset: Int) throws(SystemError) {
        var rest = buffers[...]
        var position = offset
        while !rest.isEmpty {
            let call = UnsafeBufferPointer(rebasing: rest.prefix(1024))  // IOV_MAX on Linux
            var written = try write(call, to: file, at: position)
            position += written
            while let first = rest.first, written >= first.iov_len {
                written -= first.iov_len
                rest = rest.dropFirst()
            }
            if written > 0, let base = rest[rest.startIndex].iov_base {
                rest[rest.startIndex].iov_base = base + written
                rest[rest.startIndex].iov_len -= written
            }
        }
    }

    /// Writes all of the bytes.
    func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int) throws(SystemError) {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return }
        var one = iovec(iov_base: UnsafeMutableRawPointer(mutating: base), iov_len: bytes.count)
        try withUnsafeMutablePointer(to: &one) { pointer throws(SystemError) in
            try writeAll(UnsafeMutableBufferPointer(start: pointer, count: 1), to: file, at: offset)
        }
    }

    /// Writes all of the bytes.
    func writeAll(_ bytes: [UInt8], to file: Int32, at offset: Int) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { buffer throws(SystemError) in
            try writeAll(UnsafeRawBufferPointer(buffer), to: file, at: offset)
        }
    }

    /// Reads until the buffer is full or the file ends; returns the number of bytes.
    func readAll(_ file: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(SystemError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            let count = try read(file, into: rest, at: offset + filled)
            if count == 0 { break }
            filled += count
        }
        return filled
    }
}
