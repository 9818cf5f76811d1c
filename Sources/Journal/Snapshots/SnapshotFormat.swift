// The snapshot file on disk: a header block, then content in blocks of 64 KiB, each with its own number and checksum.
// Used by SnapshotWriter and SnapshotReader.

/// The first 4096 bytes of a snapshot file.
///
/// Little-endian.
///
///     offset  bytes
///          0      8  "PARAMSNP"
///          8      4  format version, 1
///         12      4  header length, 4096
///         16      8  id
///         24      8  length of the content
///         32      8  journal position that it covers
///         40      4  model
///         44      2  kind
///         46      2  length of the label
///         48      4  salt of the block checksums
///         52     12  zero
///         64   3072  label, then zeros
///       4092      4  CRC32C of the 4092 bytes above
struct SnapshotHeader: Equatable {
    static let size = 4096
    /// The end of the model's number.
    static let modelEnd = 44
    static let magic = Array("PARAMSNP".utf8)
    static let version: UInt32 = 1

    var info: SnapshotInfo
    var salt: UInt32

    func encode() -> [UInt8] {
        var bytes = SnapshotHeader.magic + [UInt8](repeating: 0, count: SnapshotHeader.size - 8)
        bytes.replaceSubrange(64..<64 + info.label.count, with: info.label)
        bytes.withUnsafeMutableBytes { buffer in
            guard let memory = buffer.baseAddress else { return }
            memory.store(SnapshotHeader.version, at: 8)
            memory.store(UInt32(SnapshotHeader.size), at: 12)
            memory.store(info.id, at: 16)
            memory.store(UInt64(info.length), at: 24)
            memory.store(info.position, at: 32)
            memory.store(info.model, at: 40)
            memory.store(info.kind, at: 44)
            memory.store(UInt16(info.label.count), at: 46)
            memory.store(salt, at: 48)
            memory.store(Checksum.of(UnsafeRawBufferPointer(rebasing: buffer[..<4092])), at: 4092)
        }
        return bytes
    }

    init(info: SnapshotInfo, salt: UInt32) {
        self.info = info
        self.salt = salt
    }

    /// Reads the header at the start of `bytes`; `file` is for errors.
    init(decoding bytes: UnsafeRawBufferPointer, file: String) throws(JournalError) {
        guard bytes.count >= SnapshotHeader.size else {
            throw .corrupted(file: file, offset: 0, reason: "the snapshot header is cut off")
        }
        guard bytes.prefix(8).elementsEqual(SnapshotHeader.magic) else {
            throw .corrupted(file: file, offset: 0, reason: "the file is not a snapshot")
        }
        guard Checksum.of(UnsafeRawBufferPointer(rebasing: bytes[..<4092])) == bytes.integer(at: 4092) as UInt32 else {
            throw .corrupted(file: file, offset: 0, reason: "the snapshot header's checksum does not match")
        }
        let version: UInt32 = bytes.integer(at: 8)
        guard version == SnapshotHeader.version else { throw .unsupportedFormat(file: file, version: version) }
        let labelCount = Int(bytes.integer(at: 46) as UInt16)
        guard labelCount <= SnapshotInfo.maximumLabel, let length = Int(exactly: bytes.integer(at: 24) as UInt64) else {
            throw .corrupted(file: file, offset: 24, reason: "the snapshot header has impossible lengths")
        }
        info = SnapshotInfo(
            id: bytes.integer(at: 16), kind: bytes.integer(at: 44), model: bytes.integer(at: 40),
            position: bytes.integer(at: 32), label: Array(bytes[64..<64 + labelCount]), length: length)
        salt = bytes.integer(at: 48)
    }
}

/// A block of content: up to 65,528 bytes, then 4 bytes block number and 4 bytes CRC32C of both, seeded with the salt.
enum SnapshotBlock {
    static let size = 64 << 10
    static let trailer = 8
    static let content = size - trailer

    /// The offset in the file of block `number`.
    static func offset(of number: Int) -> Int { SnapshotHeader.size + number * size }

    /// The length of a file with this much content.
    static func fileSize(content length: Int) -> Int {
        let count = length / content + (length % content == 0 ? 0 : 1)
        return SnapshotHeader.size + length + count * trailer
    }

    /// Block number and checksum, which follow the content, as one little-endian word.
    static func trailer(of bytes: UnsafeRawBufferPointer, number: Int, salt: UInt32) -> UInt64 {
        let number = UInt32(truncatingIfNeeded: number)
        let checksum = withUnsafeBytes(of: number.littleEndian) {
            Checksum.of($0, after: Checksum.of(bytes, after: salt))
        }
        return (UInt64(checksum) << 32 | UInt64(number)).littleEndian
    }
}
