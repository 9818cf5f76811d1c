// What follows a segment's last intact record: nothing, the remains of an unfinished batch, or proof that acknowledged
// records were damaged. Recovery and verify depend on it.

import Glibc

/// The bytes from a reader's offset to the end of the file.
enum SegmentTail: Equatable {
    /// Only zeros; in a file that was a segment before, only remains of that use.
    case clean
    /// Remains of a batch that was never acknowledged; the last of their bytes is before `end`.
    case torn(end: Int)
    /// The record at `witness` was written after the records before it had become durable: they are damaged, not torn.
    case hole(witness: Int)
}

extension SegmentReader {
    /// Examines everything after the reader's offset.
    func tail() throws(JournalError) -> SegmentTail {
        var end = offset
        var start = offset
        while start < window.size {
            let stretch = start..<min(start + SegmentReader.stretch, window.size)
            start = stretch.upperBound
            if !header.isRecycled, try isZero(stretch) { continue }
            let records = try records(in: stretch)
            if let witness = records.witness { return .hole(witness: witness) }
            end = header.isRecycled ? max(end, min(records.end, window.size)) : stretch.upperBound
        }
        return end == offset ? .clean : .torn(end: end)
    }

    /// The bytes from the reader's offset to the end of the last record of this segment that can be found.
    func usedBytes() throws(JournalError) -> Int {
        var end = offset
        for start in stride(from: offset, to: window.size, by: SegmentReader.stretch) {
            let stretch = start..<min(start + SegmentReader.stretch, window.size)
            end = try max(end, min(records(in: stretch).end, window.size))
        }
        return end - offset
    }

    /// Bytes examined at a time; much less than the window, so that a header across the border is still in it.
    private static let stretch = 64 << 10

    private func isZero(_ range: Range<Int>) throws(JournalError) -> Bool {
        let bytes = try window.bytes(range)
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        return base.load(as: UInt8.self) == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// The records of this segment that begin in the stretch, from the reader's position on: the offset of one whose
    /// header proves that the record at `self.offset` was durable, and the end of the last one, which may be cut off.
    private func records(in stretch: Range<Int>) throws(JournalError) -> (witness: Int?, end: Int) {
        let reach = stretch.lowerBound..<min(stretch.upperBound + RecordHeader.size - 8, window.size)
        let bytes = try window.bytes(reach)
        guard let base = bytes.baseAddress else { return (nil, 0) }
        var (witness, end): (Int?, Int) = (nil, 0)
        var start = -RecordHeader.alignment
        while start + RecordHeader.alignment + RecordHeader.size <= bytes.count {
            start += RecordHeader.alignment
            // The cheap check first: this runs at every eighth byte of possibly gigabytes of payload.
            let ahead = base.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self).littleEndian &- nextPosition
            guard ahead < 1 << 32 else { continue }
            guard let record = RecordHeader(decoding: base + start, salt: header.salt) else { continue }
            if record.synced > nextPosition { witness = witness ?? reach.lowerBound + start }
            end = max(end, reach.lowerBound + start + record.extent)
        }
        return (witness, end)
    }
}
