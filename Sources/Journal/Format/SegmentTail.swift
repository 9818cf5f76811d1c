// What is behind a segment's last intact record: nothing, the remains of an unfinished batch, or proof that
// acknowledged records were damaged. Recovery and verify decide by it.

import Glibc

/// The bytes from a reader's offset to the end of the file.
enum SegmentTail: Equatable {
    /// Zeros only.
    case clean
    /// Remains of a batch that was never acknowledged; the last byte that is not zero is before `end`.
    case torn(end: Int)
    /// The record at `witness` was written after those before it had become durable: they are damaged, not torn.
    case hole(witness: Int)
}

extension SegmentReader {
    /// Looks at everything behind the reader's offset.
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

    /// Bytes looked at in one go: small against the window, so that a header across the border is still in it.
    private static let stretch = 64 << 10

    private func isZero(_ range: Range<Int>) throws(JournalError) -> Bool {
        let bytes = try window.bytes(range)
        guard let base = bytes.baseAddress, bytes.count > 0 else { return true }
        return base.load(as: UInt8.self) == 0 && memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// The offset of a record whose header proves that the one at `self.offset` had been durable.
    private func witness(in stretch: Range<Int>) throws(JournalError) -> Int? {
        let reach = stretch.lowerBound..<min(stretch.upperBound + RecordHeader.size - 8, window.size)
        let bytes = try window.bytes(reach)
        guard let base = bytes.baseAddress else { return nil }
        var start = -RecordHeader.alignment
        while start + RecordHeader.alignment + RecordHeader.size <= bytes.count {
            start += RecordHeader.alignment
            // Cheap first: this runs at every eighth byte of what may be gigabytes of payload.
            let ahead = base.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self).littleEndian &- nextPosition
            guard ahead > 0, ahead < 1 << 32 else { continue }
            guard let record = RecordHeader(decoding: base + start, salt: header.salt) else { continue }
            if record.synced > nextPosition { return reach.lowerBound + start }
        }
        return nil
    }
}
