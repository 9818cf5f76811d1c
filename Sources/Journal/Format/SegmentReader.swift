// Reads the records of one segment file in order and checks every byte. Recovery, replay, verify and salvage are loops
// over it; SegmentTail decides what a damaged record means (torn tail or hole).

/// The content at the reader's offset.
enum SegmentStep {
    case record(StoredRecord)
    /// A length of zero, or the end of the file: no more records.
    case end
    /// Bytes that are not an intact record at this place.
    case damaged(reason: String)
}

/// A reader at an offset in a segment.
///
/// After a `record` the offset is behind it; otherwise it does not move.
final class SegmentReader {
    let window: ReadWindow
    let header: SegmentHeader
    private(set) var offset = SegmentHeader.size
    private(set) var nextPosition: UInt64
    private(set) var chain: UInt32
    /// What is wrong with the bytes at the offset; nil if there are none, or only a length of zero.
    private(set) var damage: String?

    /// - Parameter capacity: How many bytes one read asks for.
    init(_ name: String, in directory: Directory, capacity: Int = 1 << 20) throws(JournalError) {
        window = try ReadWindow(name, in: directory, capacity: capacity)
        do throws(JournalError) {
            header = try SegmentHeader(decoding: window.bytes(0..<min(SegmentHeader.size, window.size)), file: name)
            guard FileName.segment.number(of: name) == header.number else {
                throw .corrupted(file: name, offset: 16, reason: "the header has the number of another segment")
            }
        } catch {
            throw window.isNamed ? error : window.gone
        }
        nextPosition = header.firstPosition
        chain = header.chain
    }

    /// The header of a segment, without reading more.
    static func header(of number: UInt64, in directory: Directory) throws(JournalError) -> SegmentHeader {
        try SegmentReader(FileName.segment(number), in: directory, capacity: SegmentHeader.size).header
    }

    /// The next record; its payload is valid until the next call.
    func next() throws(JournalError) -> SegmentStep {
        let step = try look()
        damage = if case .damaged(let reason) = step { reason } else { nil }
        return step
    }

    private func look() throws(JournalError) -> SegmentStep {
        guard window.size - offset >= 8 else { return .end }
        let length: UInt64 = try window.bytes(offset..<offset + 8).integer(at: 0)
        if length == 0 { return .end }
        guard window.size - offset >= RecordHeader.size else { return .damaged(reason: "the record is cut off") }
        let head = try window.bytes(offset..<offset + RecordHeader.size)
        guard let start = head.baseAddress, let record = RecordHeader(decoding: start, salt: header.salt) else {
            return .damaged(reason: "the record's header does not match its checksum")
        }
        guard record.position == nextPosition, record.previous == chain else {
            return .damaged(reason: "the record does not follow the previous one")
        }
        let checksum = RecordHeader.checksum(at: start)
        return try payload(of: record, checksum: checksum)
    }

    private func payload(of record: RecordHeader, checksum: UInt32) throws(JournalError) -> SegmentStep {
        guard record.extent <= window.size - offset else { return .damaged(reason: "the record is cut off") }
        let bytes = try window.bytes(offset + RecordHeader.size..<offset + record.extent)
        let (lead, rest) = (bytes.prefix(Int(record.lead)), bytes.dropFirst(Int(record.lead)))
        let payload = UnsafeRawBufferPointer(rebasing: rest.prefix(record.payloadCount))
        guard Checksum.ofPadded(payload) == record.payloadChecksum else {
            return .damaged(reason: "the record's payload does not match its checksum")
        }
        guard lead.allSatisfy({ $0 == 0 }), rest.dropFirst(payload.count).allSatisfy({ $0 == 0 }) else {
            return .damaged(reason: "the bytes around the record's payload are not zero")
        }
        offset += record.extent
        nextPosition += 1
        chain = checksum
        return .record(
            StoredRecord(
                position: record.position, type: record.type, flags: record.flags, model: record.model,
                payload: payload))
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian integer at the offset, which must be inside.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}
