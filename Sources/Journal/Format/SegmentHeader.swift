// The first 64 bytes of a segment file, durable before the file gets its name. Little-endian.

/// A segment's header on disk.
///
///     offset  bytes
///          0      8  "PARAMJNL"
///          8      4  format version, 1
///         12      4  header length, 64
///         16      8  number of the segment: consecutive
///         24      8  position of the first record
///         32      4  chain: CRC field of the last record before it, 0 in the first segment
///         36      4  salt of the record checksums
///         40      8  gap: positions skipped before the first record, lost in a mode that does not sync
///         48     12  zero
///         60      4  CRC32C of the 60 bytes above
struct SegmentHeader: Equatable {
    static let size = 64
    static let magic = Array("PARAMJNL".utf8)
    static let version: UInt32 = 1

    var number: UInt64
    var firstPosition: UInt64
    var chain: UInt32
    var salt: UInt32
    var gap: UInt64 = 0

    func encode() -> [UInt8] {
        var bytes = SegmentHeader.magic + [UInt8](repeating: 0, count: SegmentHeader.size - 8)
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.store(SegmentHeader.version, at: 8)
            memory.store(UInt32(SegmentHeader.size), at: 12)
            memory.store(number, at: 16)
            memory.store(firstPosition, at: 24)
            memory.store(chain, at: 32)
            memory.store(salt, at: 36)
            memory.store(gap, at: 40)
            memory.store(Checksum.of(UnsafeRawBufferPointer(rebasing: buffer[..<60])), at: 60)
        }
        return bytes
    }

    /// Reads the header at the start of `bytes`; `file` is for errors.
    init(decoding bytes: UnsafeRawBufferPointer, file: String) throws(JournalError) {
        guard bytes.count >= SegmentHeader.size, let memory = bytes.baseAddress else {
            throw .corrupted(file: file, offset: 0, reason: "the segment header is cut off")
        }
        guard bytes.prefix(8).elementsEqual(SegmentHeader.magic) else {
            throw .corrupted(file: file, offset: 0, reason: "the file is not a journal segment")
        }
        guard Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[..<60])) == memory.integer(at: 60) else {
            throw .corrupted(file: file, offset: 0, reason: "the segment header's checksum does not match")
        }
        let version: UInt32 = memory.integer(at: 8)
        guard version == SegmentHeader.version else { throw .unsupportedFormat(file: file, version: version) }
        number = memory.integer(at: 16)
        firstPosition = memory.integer(at: 24)
        chain = memory.integer(at: 32)
        salt = memory.integer(at: 36)
        gap = memory.integer(at: 40)
    }

    init(number: UInt64, firstPosition: UInt64, chain: UInt32, salt: UInt32, gap: UInt64 = 0) {
        self.number = number
        self.firstPosition = firstPosition
        self.chain = chain
        self.salt = salt
        self.gap = gap
    }
}
