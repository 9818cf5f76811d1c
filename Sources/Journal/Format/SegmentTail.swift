// What follows a segment's last intact record: nothing, the remains of an unfinished batch, or proof that acknowledged
// records were damaged. Recovery and verify depend on it.

import Glibc

/// The bytes from a reader's offset to the end of the file.
enum SegmentTail: Equatable {
    /// Only zeros.
    case clean
    /// Remains of a batch that was never acknowledged; the last nonzero byte is before `end`.
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
            if try !isZero(stretch) {
                if let witness = try witness(in: stretch) { return .hole(witness: witness) }
                end = stretch.upperBound
            }
            start = stretch.upperBound
        }
        return end == offset ? .clean : .torn(end: end)
    }

    /// Bytes examined at a time; much less than the window, so that a header across the border is still in it.
    private static let stretch = 64 << 10

    private func isZero(_ range: Range<Int>) throws(JournalError) -> Bool {
        let bytes = try window.bytes(range)
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        return base.load(as: UInt8.self) == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// The offset of a record whose header proves that the record at `self.offset` was durable.
    private func witness(in stretch: Range<Int>) throws(JournalError) -> Int? {
        let reach = stretch.lowerBound..<min(stretch.upperBound + RecordHeader.size - 8, window.size)
        let bytes = try window.bytes(reach)
        guard let base = bytes.baseAddress else { return nil }
        var start = -RecordHeader.alignment
        while start + RecordHeader.alignment + RecordHeader.size <= bytes.count {
            start += RecordHeader.alignment
            // The cheap check first: this runs at every eighth byte of possibly gigabytes of payload.
            let ahead = base.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self).littleEndian &- nextPosition
            guard ahead > 0, ahead < 1 << 32 else { continue }
            guard let record = RecordHeader(decoding: base + start, salt: header.salt) else { continue }
            if record.synced > nextPosition { return reach.lowerBound + start }
        }
        return nil
    }
}
