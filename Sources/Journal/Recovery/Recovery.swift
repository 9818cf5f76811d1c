// Opens a directory: reads it, removes a torn tail, and returns a SegmentLog that continues after the last record. A
// torn tail is the only thing that is ever repaired automatically.

/// Builds the write side from the files.
struct Recovery {
    let directory: Directory
    let settings: JournalSettings
    /// The first position to deliver.
    let start: UInt64
    /// The smallest position for the next record.
    let resume: UInt64
    /// All positions that may have been shown without a sync are below it.
    let bound: UInt64
    private(set) var report = RecoveryReport()

    init(
        _ directory: Directory, settings: JournalSettings, from start: UInt64, resumingAt resume: UInt64,
        bound: UInt64 = 0
    ) {
        self.directory = directory
        self.settings = settings
        self.start = start
        self.resume = resume
        self.bound = bound
    }

    /// Delivers the records from `start` on and returns the log that continues them.
    mutating func run(_ replay: (StoredRecord) throws -> Void) throws(JournalError) -> SegmentLog {
        let mark = try DurableMark(directory)
        if let lost = try LostEnd(in: directory, after: mark.found, bound: bound) { try lost.remove(from: directory) }
        try removeLeftovers()
        // A killed process may have named a segment without making the name durable.
        try directory.writing("the directory") { () throws(SystemError) in try directory.synchronize() }
        let chain = try SegmentChain(directory)
        report.segments = chain.numbers.count
        guard let first = chain.numbers.first, let last = chain.numbers.last else {
            try check(mark, nil, end: nil)
            return try makeFirst(mark)
        }
        var previous: SegmentReader?
        var end = SegmentEnd(tail: .clean, reason: "")
        for number in try chain.numbers(from: start) {
            let reader = try chain.open(number, after: previous)
            // A killed process may have left records in memory only: in the newest segment, and where no append waits
            // for a sync, in all since the mark.
            if number == last || number >= mark.found?.segment ?? 0 { try reader.window.settle() }
            end = try SegmentChain.read(reader, isLast: number == last) { record throws(JournalError) in
                try deliver(record, to: replay)
            }
            previous = reader
        }
        guard let reader = previous else { return try makeFirst(mark) }
        try check(mark, reader, end: end)
        return try continueLog(reader, end: end, mark, firstSegment: first)
    }

    /// Refuses a journal that ends before what was acknowledged, before anything is changed.
    private func check(_ mark: DurableMark, _ last: SegmentReader?, end: SegmentEnd?) throws(JournalError) {
        guard let durable = mark.found, let loss = DurableLoss(of: durable, in: last, end: end) else { return }
        throw loss.problem
    }

    private mutating func deliver(
        _ record: StoredRecord, to replay: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        report.records += 1
        report.bytes += record.payload.count
        guard record.position >= start, record.type != Record.seal else { return }
        do {
            try replay(record)
        } catch {
            throw .replayRefused(position: record.position, reason: "\(error)")
        }
    }

    private mutating func continueLog(
        _ reader: SegmentReader, end: SegmentEnd, _ mark: DurableMark, firstSegment: UInt64
    ) throws(JournalError) -> SegmentLog {
        let name = reader.window.name
        report.tornTail = end.torn(in: reader)
        let file = try directory.writing(name) { () throws(SystemError) in
            try SegmentFile(
                opening: name, end: reader.offset, isRecycled: reader.header.isRecycled, in: directory)
        }
        // Records left there could continue the first one of their batch, if that is written again.
        if case .torn(let limit) = end.tail {
            try directory.writing(name) { () throws(SystemError) in try file.clear(upTo: limit) }
        }
        let log = SegmentLog(
            directory, settings: settings, current: file, header: reader.header,
            nextPosition: reader.nextPosition, chain: reader.chain, mark: mark, firstSegment: firstSegment)
        if resume > log.nextPosition {
            report.lostPositions = resume - log.nextPosition
            try log.roll(toFit: 0, gap: report.lostPositions)
        }
        return log
    }

    private func makeFirst(_ mark: DurableMark) throws(JournalError) -> SegmentLog {
        let header = SegmentHeader(
            number: 1, firstPosition: max(resume, 1), chain: 0, durable: max(resume, 1), isRecycled: false)
        let file = try SegmentFile.reserve(settings.segmentBytes, in: directory).begun(as: header)
        return SegmentLog(
            directory, settings: settings, current: file, header: header,
            nextPosition: header.firstPosition, chain: 0, mark: mark, firstSegment: 1)
    }

    private func removeLeftovers() throws(JournalError) {
        for name in try directory.fileNames() where name == FileName.ahead || FileName.spare.isMember(name) {
            try directory.writing(name) { () throws(SystemError) in try directory.remove(name) }
        }
    }
}

extension Record {
    /// The journal's own record, the last one in a cleanly closed journal: with it, a damaged last record cannot be
    /// mistaken for a torn one.
    static let seal: UInt16 = 0xFFFF
}
