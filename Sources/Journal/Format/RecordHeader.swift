// The 48 bytes before each payload. Written by SegmentLog, read by SegmentReader; little-endian.

/// A record's header on disk.
///
///     offset  bytes
///          0      8  length: header, lead and payload, without the padding to 8 bytes; 0 ends the segment
///          8      8  position: 1, 2, 3, ... over the whole journal
///         16      8  synced: every record before this position was durable when this one was written
///         24      4  model
///         28      2  type
///         30      2  flags
///         32      4  lead: zeros before the payload, up to 4095; none in segments of version 1 and 2
///         36      4  CRC field of the record before (of the segment header's chain field for the first)
///         40      4  CRC32C of the payload and of zeros up to a multiple of 8 bytes
///         44      4  CRC32C of the 44 bytes above, begun at the segment's salt
///
/// `synced` tells a torn tail from a hole: a damaged record at position p was acknowledged if any later record says
/// `synced > p`; without such a witness, records belong to the last, unfinished batch.
/// The lead puts the large part of a payload on a page of the file, which can be written past the page cache.
/// The salt is random, so no payload can contain bytes that look like a record of its own segment.
struct RecordHeader: Equatable {
    static let size = 48
    static let alignment = 8

    var length: UInt64
    var position: UInt64
    var synced: UInt64
    var model: UInt32
    var type: UInt16
    var flags: UInt16
    var previous: UInt32
    var payloadChecksum: UInt32
    var lead: UInt32 = 0

    /// Bytes in the file for a payload of `count` bytes without a lead.
    static func extent(payload count: Int) -> Int {
        (size + count + alignment - 1) & ~(alignment - 1)
    }

    /// Bytes of padding after `count` bytes.
    static func padding(after count: Int) -> Int {
        -count & (alignment - 1)
    }

    /// Bytes in the file.
    var extent: Int { RecordHeader.extent(payload: Int(length) - RecordHeader.size) }

    /// The offset of the payload after the record's first byte.
    var payloadStart: Int { RecordHeader.size + Int(lead) }

    var payloadCount: Int { Int(length) - payloadStart }

    /// Writes the header; returns its checksum, the next record's `previous`.
    func encode(to memory: UnsafeMutableRawPointer, salt: UInt32) -> UInt32 {
        memory.store(length, at: 0)
        memory.store(position, at: 8)
        memory.store(synced, at: 16)
        memory.store(model, at: 24)
        memory.store(type, at: 28)
        memory.store(flags, at: 30)
        memory.store(lead, at: 32)
        memory.store(previous, at: 36)
        memory.store(payloadChecksum, at: 40)
        let checksum = Checksum.of(UnsafeRawBufferPointer(start: memory, count: 44), after: salt)
        memory.store(checksum, at: 44)
        return checksum
    }

    /// The header at `memory`; `nil` if the bytes are not a header.
    init?(decoding memory: UnsafeRawPointer, salt: UInt32) {
        length = memory.integer(at: 0)
        position = memory.integer(at: 8)
        synced = memory.integer(at: 16)
        model = memory.integer(at: 24)
        type = memory.integer(at: 28)
        flags = memory.integer(at: 30)
        previous = memory.integer(at: 36)
        payloadChecksum = memory.integer(at: 40)
        lead = memory.integer(at: 32)
        guard length >= UInt64(RecordHeader.size), length <= UInt64(Int.max / 2), synced <= position,
            lead < page, UInt64(lead) <= length - UInt64(RecordHeader.size)
        else { return nil }
        let checksum = Checksum.of(UnsafeRawBufferPointer(start: memory, count: 44), after: salt)
        guard checksum == memory.integer(at: 44) as UInt32 else { return nil }
    }

    init(
        payload count: Int, lead: Int, position: UInt64, synced: UInt64, record: Record, previous: UInt32,
        payloadChecksum: UInt32
    ) {
        length = UInt64(RecordHeader.size + lead + count)
        self.lead = UInt32(lead)
        self.position = position
        self.synced = synced
        model = record.model
        type = record.type
        flags = record.flags
        self.previous = previous
        self.payloadChecksum = payloadChecksum
    }

    /// The checksum stored in the header's last field.
    static func checksum(at memory: UnsafeRawPointer) -> UInt32 { memory.integer(at: 44) }
}

extension UnsafeMutableRawPointer {
    /// Stores the integer little-endian.
    func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: Value.self)
    }
}

extension UnsafeRawPointer {
    /// The little-endian integer at the offset.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
