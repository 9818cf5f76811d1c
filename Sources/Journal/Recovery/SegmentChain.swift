// Reads segments in order and checks that each continues the previous one. The basis of recovery, replay and verify.
// Only `remove` changes anything.

/// All the segments of a directory, in order.
struct SegmentChain {
    private let directory: Directory
    let numbers: [UInt64]

    init(_ directory: Directory) throws(JournalError) {
        self.directory = directory
        numbers = try directory.segmentNumbers()
    }

    /// The segments with records from `position` on: all but those whose successor starts no later.
    func numbers(from position: UInt64) throws(JournalError) -> ArraySlice<UInt64> {
        var first = numbers.endIndex - 1
        while first > numbers.startIndex {
            if try SegmentReader.header(of: numbers[first], in: directory).firstPosition <= position { break }
            first -= 1
        }
        return numbers[max(first, 0)...]
    }

    /// The segments whose records are all before `position`, but never the newest.
    func obsolete(before position: UInt64) throws(JournalError) -> ArraySlice<UInt64> {
        guard let firstKept = try numbers(from: position).first else { return [] }
        return numbers.prefix { $0 < firstKept }
    }

    /// Removes the segments whose records are all before `position`, but never the newest; returns their number.
    ///
    /// Oldest first, and each removal is durable before the next: a crash in between leaves no gap. Their files go to
    /// `spares`.
    func remove(before position: UInt64, keepingIn spares: SpareSegments) throws(JournalError) -> Int {
        let obsolete = try obsolete(before: position)
        if !obsolete.isEmpty { Failpoint.reach(.beforeDeletion) }
        var kept: [String] = []
        defer { if !obsolete.isEmpty { spares.add(kept) } }
        for number in obsolete {
            try directory.writing(FileName.segment(number)) { () throws(SystemError) in
                let spare = try spares.retire(number)
                try directory.synchronize()
                if let spare { kept.append(spare) }
            }
            Failpoint.reach(.segmentDeleted)
        }
        return obsolete.count
    }

    /// Opens a segment, which must continue where `previous` ended.
    func open(_ number: UInt64, after previous: SegmentReader?) throws(JournalError) -> SegmentReader {
        let reader = try SegmentReader(FileName.segment(number), in: directory)
        if let previous { try SegmentChain.check(reader, continues: previous) }
        return reader
    }

    /// Refuses a segment that does not start where the previous one ended.
    static func check(_ reader: SegmentReader, continues previous: SegmentReader) throws(JournalError) {
        let header = reader.header
        guard previous.nextPosition &+ header.gap == header.firstPosition, previous.chain == header.chain else {
            guard previous.window.isNamed else { throw previous.window.gone }
            throw .corrupted(
                file: previous.window.name, offset: previous.offset,
                reason: previous.damage ?? "records are missing before position \(header.firstPosition)")
        }
    }

    /// Passes the records before position `end` to `body`, then examines what follows them.
    ///
    /// - Returns: The tail; clean when `end` was reached.
    /// In a segment before the last, what follows the records matters only in version 1: the check of the next segment
    /// finds missing ones.
    ///
    /// - Throws: `.corrupted` for anything but a torn tail in the last segment.
    static func read(
        _ reader: SegmentReader, isLast: Bool, upTo end: UInt64 = .max,
        _ body: (StoredRecord) throws(JournalError) -> Void
    ) throws(JournalError) -> SegmentEnd {
        var isWitnessed = false
        while reader.nextPosition < end {
            var reason = "bytes follow the last record"
            switch try reader.next() {
            case .record(let record):
                isWitnessed = false
                try body(record)
                continue
            case .end: break
            case .damaged(let why): reason = why
            }
            if !isLast, reader.header.endsWhereNextBegins { break }
            let damage = JournalError.corrupted(file: reader.window.name, offset: reader.offset, reason: reason)
            if isWitnessed { throw damage }
            switch try reader.tail() {
            case .clean: return SegmentEnd(tail: .clean, reason: reason)
            case .torn(let end) where isLast: return SegmentEnd(tail: .torn(end: end), reason: reason)
            case .hole where isLast:
                // A live journal may have written here before its witness was read. It is damage if it persists.
                isWitnessed = true
                reader.window.reload()
            case .torn, .hole: throw damage
            }
        }
        return SegmentEnd(tail: .clean, reason: "")
    }
}

/// The end of a segment's reading: what follows the last record, and what is wrong with it.
struct SegmentEnd {
    let tail: SegmentTail
    let reason: String

    /// The torn tail as reported.
    func torn(in reader: SegmentReader) -> RecoveryReport.TornTail? {
        guard case .torn(let end) = tail else { return nil }
        return .init(file: reader.window.name, offset: reader.offset, bytes: end - reader.offset, reason: reason)
    }
}
