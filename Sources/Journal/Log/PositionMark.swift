// The bound of positions that may have been shown. In modes that acknowledge before the sync, a power cut can lose
// records whose positions others have seen; this file, durable before them, tells the next start how many there may be.

/// A bound of the acknowledged positions, stored on disk.
///
/// Without a file the bound is 0: every acknowledgement so far waited for its sync. The file, little-endian:
///
///     offset  bytes
///          0      8  "PARAMARK"
///          8      8  the bound
///         16      4  CRC32C of the 16 bytes above
struct PositionMark {
    private static let magic = Array("PARAMARK".utf8)
    private static let size = 20
    /// The positions that one write of the file covers: this many appends share its cost, and a crash skips at most
    /// this many numbers.
    static let stride: UInt64 = 1 << 16

    /// All acknowledged positions are below it.
    private(set) var bound: UInt64 = 0
    private let directory: Directory

    /// Reads the file.
    ///
    /// - Throws: `.corrupted` if the file is damaged.
    init(_ directory: Directory) throws(JournalError) {
        self.directory = directory
        guard try directory.fileNames().contains(FileName.mark) else { return }
        let window = try ReadWindow(FileName.mark, in: directory, capacity: 4096)
        guard window.size == Self.size else { throw Self.damaged("the file is \(window.size) bytes long") }
        bound = try Self.decode(try window.bytes(0..<Self.size))
    }

    /// Ensures, durably, that positions before `next` may be acknowledged.
    mutating func cover(before next: UInt64) throws(JournalError) {
        if next > bound { try write(next + Self.stride) }
    }

    /// Lowers the bound to `end`: everything before it is durable, and nothing else was acknowledged.
    mutating func settle(at end: UInt64) throws(JournalError) {
        if bound > end { try write(end) }
    }

    /// Replaces the whole file: a crash leaves either the old one or the new one.
    private mutating func write(_ bound: UInt64) throws(JournalError) {
        let name = FileName.mark + FileName.unfinished
        try directory.writing(FileName.mark) { () throws(SystemError) in
            let file = try directory.open(name, .create)
            do {
                defer { directory.disk.close(file) }
                try directory.disk.writeAll(Self.encode(bound), to: file, at: 0)
                try directory.disk.synchronize(file)
            }
            try directory.rename(name, to: FileName.mark)
            try directory.synchronize()
        }
        self.bound = bound
    }

    private static func encode(_ bound: UInt64) -> [UInt8] {
        var bytes = magic + [UInt8](repeating: 0, count: size - magic.count)
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.store(bound, at: 8)
            memory.store(Checksum.of(UnsafeRawBufferPointer(rebasing: buffer[..<16])), at: 16)
        }
        return bytes
    }

    private static func decode(_ bytes: UnsafeRawBufferPointer) throws(JournalError) -> UInt64 {
        guard let memory = bytes.baseAddress, bytes.prefix(8).elementsEqual(magic) else {
            throw damaged("the file is not a position mark")
        }
        guard Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[..<16])) == memory.integer(at: 16) else {
            throw damaged("the checksum does not match")
        }
        return memory.integer(at: 8)
    }

    private static func damaged(_ reason: String) -> JournalError {
        .corrupted(file: FileName.mark, offset: 0, reason: reason)
    }
}
