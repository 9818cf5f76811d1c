// The first 64 bytes of a segment file, durable before the file gets its name. Little-endian.

/// A segment's header on disk.
///
///     offset  bytes
///          0      8  "PARAMJNL"
///          8      4  format version, 3; records of 1 and 2 have no lead, and 1 has zeros from offset 48 on
///         12      4  header length, 64
///         16      8  number of the segment: consecutive
///         24      8  position of the first record
///         32      4  chain: CRC field of the last record before it, 0 in the first segment
///         36      4  salt of the record checksums
///         40      8  gap: positions skipped before the first record, lost in a mode that does not sync
///         48      8  durable: every record before this position was durable when the segment got its name
///         56      4  1 if the file was a segment before, otherwise 0
///         60      4  CRC32C of the 60 bytes above
///
/// What follows the last record of a segment depends on the version. In version 1, and in a file that was not a segment
/// before, zeros. In one that was, the remains of its earlier use, whose records have another salt. The last record of
/// a segment since version 2 is the one before its successor's first, so nothing after it matters.
struct SegmentHeader: Equatable {
    static let size = 64
    static let magic = Array("PARAMJNL".utf8)
    static let version: UInt32 = 3

    var number: UInt64
    var firstPosition: UInt64
    var chain: UInt32
    var salt: UInt32
    var gap: UInt64
    var durable: UInt64
    var isRecycled: Bool
    private(set) var version = SegmentHeader.version

    /// Whether the next segment's header says where this one ends, whatever bytes follow.
    var endsWhereNextBegins: Bool { version > 1 }

    /// Whether its records may have leads.
    var hasLeads: Bool { version > 2 }

    func encode() -> [UInt8] {
        var bytes = SegmentHeader.magic + [UInt8](repeating: 0, count: SegmentHeader.size - 8)
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.store(version, at: 8)
            memory.store(UInt32(SegmentHeader.size), at: 12)
            memory.store(number, at: 16)
            memory.store(firstPosition, at: 24)
            memory.store(chain, at: 32)
            memory.store(salt, at: 36)
            memory.store(gap, at: 40)
            memory.store(durable, at: 48)
            memory.store(UInt32(isRecycled ? 1 : 0), at: 56)
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
        version = memory.integer(at: 8)
        guard 1...SegmentHeader.version ~= version else { throw .unsupportedFormat(file: file, version: version) }
        number = memory.integer(at: 16)
        firstPosition = memory.integer(at: 24)
        chain = memory.integer(at: 32)
        salt = memory.integer(at: 36)
        gap = memory.integer(at: 40)
        durable = memory.integer(at: 48)
        isRecycled = memory.integer(at: 56) as UInt32 == 1
    }

    /// The header of a new segment after the record whose checksum field is `chain`, with a salt of its own.
    init(number: UInt64, firstPosition: UInt64, chain: UInt32, gap: UInt64 = 0, durable: UInt64, isRecycled: Bool) {
        self.number = number
        self.firstPosition = firstPosition
        self.chain = chain
        self.gap = gap
        self.durable = durable
        self.isRecycled = isRecycled
        salt = UInt32.random(in: 0 ... .max)
    }
}
