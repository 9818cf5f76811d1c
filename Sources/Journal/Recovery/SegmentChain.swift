// Reads segments in order and checks that each continues the one before. Recovery, replay and verify are built on
// it; it never writes.

/// A walk over all the segments of a directory.
struct SegmentChain {
    private let directory: Directory
    let numbers: [UInt64]

    init(_ directory: Directory) throws(JournalError) {
        self.directory = directory
        numbers = try directory.segmentNumbers()
    }

    /// The numbers that have records from `position` on: all but those whose successor starts no later.
    func numbers(from position: UInt64) throws(JournalError) -> ArraySlice<UInt64> {
        var first = numbers.endIndex - 1
        while first > numbers.startIndex {
            if try SegmentReader(SegmentName.of(numbers[first]), in: directory).header.firstPosition <= position {
                break
            }
            first -= 1
        }
        return numbers[max(first, 0)...]
    }

    /// Opens the segment, which must continue where `previous` ended.
    func open(_ number: UInt64, after previous: SegmentReader?) throws(JournalError) -> SegmentReader {
        let reader = try SegmentReader(SegmentName.of(number), in: directory)
        guard let previous else { return reader }
        let header = reader.header
        guard previous.nextPosition &+ header.gap == header.firstPosition, previous.chain == header.chain else {
            throw .corrupted(
                file: previous.window.name, offset: previous.offset,
                reason: "records are missing before position \(header.firstPosition)")
        }
        return reader
    }

    /// Hands the records before position `end` to `body`, then looks at what lies behind them.
    ///
    /// - Returns: The tail, and what was wrong with its first record; `.clean` when `end` was reached.
    /// - Throws: `.corrupted` for anything but a torn tail of the last segment.
    func read(
        _ reader: SegmentReader, isLast: Bool, upTo end: UInt64 = .max,
        _ body: (StoredRecord) throws(JournalError) -> Void
    ) throws(JournalError) -> (tail: SegmentTail, reason: String) {
        var reason = "there are bytes behind the last record"
        loop: while reader.nextPosition < end {
            switch try reader.next() {
            case .record(let record): try body(record)
            case .end: break loop
            case .damaged(let why):
                reason = why
                break loop
            }
        }
        if reader.nextPosition >= end { return (.clean, reason) }
        let tail = try reader.tail()
        switch tail {
        case .clean: break
        case .torn where isLast: break
        case .torn, .hole: throw .corrupted(file: reader.window.name, offset: reader.offset, reason: reason)
        }
        return (tail, reason)
    }
}
