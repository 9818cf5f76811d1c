// The journal's write side without its thread: batches in, segment files out. The commit loop drives it; the fault
// tests drive it directly, because every call is synchronous.

import Threading

/// The segments being written.
///
/// Not thread-safe: only the journal thread uses it.
///
/// 1. Only written records can be durable: `syncedPosition` is at most `nextPosition`.
/// 2. All records of a batch are in one segment.
final class SegmentLog {
    let directory: Directory
    /// Whether segments follow each other without a sync.
    private let isLazy: Bool
    private var current: SegmentFile
    private var header: SegmentHeader
    private var supply: SegmentSupply
    /// Earlier segments that are not durable yet, oldest first, and the position after the last record of each.
    private var left: [(file: SegmentFile, end: UInt64)] = []
    /// Whether the current segment's header or name may not be durable yet.
    private var isNew = false
    /// The most segments that are left before a sync, since each needs a descriptor.
    private static let mostLeft = 64
    private var buffers = BatchBuffers()
    private let leastDirect: Int?
    private var lastBatchBytes = 0
    /// The size of the last batch in bytes, whether it was written or refused.
    private var wantedBytes = 0

    /// The position of the next record.
    private(set) var nextPosition: UInt64
    /// All records before this position are durable.
    private(set) var syncedPosition: UInt64
    private var chain: UInt32
    private let mark: DurableMark
    private var watch: SegmentWatch
    /// Whether a refused batch may still be after the last record.
    private var mustRetract = false

    /// Continues `current` after its last record; everything in it is durable.
    init(
        _ directory: Directory, settings: JournalSettings, current: SegmentFile, header: SegmentHeader,
        nextPosition: UInt64, chain: UInt32, mark: DurableMark, firstSegment: UInt64
    ) {
        self.directory = directory
        isLazy = settings.mode == .none
        leastDirect = settings.leastDirect
        self.current = current
        self.header = header
        self.nextPosition = nextPosition
        self.chain = chain
        self.mark = mark
        watch = SegmentWatch(directory, first: firstSegment)
        supply = SegmentSupply(directory, segmentBytes: settings.segmentBytes)
        syncedPosition = nextPosition
        mark.keep(durableEnd)
    }

    /// The number of the first segment that must exist; raise it before deleting segments.
    var firstSegment: Locked<UInt64> { watch.first }

    /// The files of deleted segments.
    var spares: SpareSegments { supply.spares }

    private var durableEnd: DurableEnd { DurableEnd(segment: header.number, position: syncedPosition) }

    /// When the directory's record of the durable end should be synced, in monotonic nanoseconds.
    var markDue: UInt64? { mark.due }

    /// Syncs the directory's record of the durable end.
    func keepMark() { mark.keep() }

    /// Whether there are written records that are not synced.
    var isDirty: Bool { syncedPosition < nextPosition }

    /// Writes the records after the last one, all or none; durable after the next `synchronize`.
    ///
    /// They go into one segment: if the current one has no room for them, into the next, made long enough.
    func write(_ batch: ArraySlice<Submission>) throws(JournalError) {
        let extent = batch.reduce(0) { $0 + room(for: $1) }
        wantedBytes = extent
        try retract()
        if extent > current.room { try roll(toFit: extent) }
        let before = (position: nextPosition, chain: chain)
        lay(batch)
        do {
            invariant(
                buffers.end <= current.end + current.room, "2: \(buffers.end - current.end) bytes for \(current.room)")
            let past = buffers.isDirect ? current.descriptorPastCache() : nil
            try buffers.write(to: current.descriptor, past: past, on: directory.disk)
        } catch {
            (nextPosition, chain) = before
            let reason = JournalError(writing: current.name, error)
            guard reason.heals else { throw reason }
            mustRetract = true
            do { try retract() } catch  where error.heals {}
            throw reason
        }
        current.end = buffers.end
        lastBatchBytes = extent
    }

    /// The most bytes that the record may take.
    private func room(for submission: Submission) -> Int {
        guard let leastDirect, submission.payloadCount >= leastDirect else { return submission.extent }
        return submission.extent + page
    }

    /// Makes all written records durable.
    func synchronize() throws(JournalError) {
        try retract()
        guard isDirty else { return }
        try synchronizeCurrent()
        mark.note(durableEnd)
    }

    private func synchronizeCurrent() throws(JournalError) {
        if isNew || !left.isEmpty, let unsynced = try unsynced() {
            try unsynced.synchronize(in: directory)
            return try settle(unsynced)
        }
        do {
            try current.synchronize()
        } catch {
            // Final for every code: the kernel may have dropped the pages, so a second sync could report false success.
            throw .failed(file: current.name, call: error.call, code: error.code)
        }
        guard current.isInPlace else { throw .displaced(file: current.name) }
        try watch.check(before: header.number)
        invariant(nextPosition >= syncedPosition, "1: synced to \(syncedPosition), written to \(nextPosition)")
        syncedPosition = nextPosition
    }

    // MARK: - Without waiting for syncs

    /// What another thread would have to sync to make all written records durable; `nil` if that is this thread's task,
    /// or if they are.
    func unsynced() throws(JournalError) -> UnsyncedSegments? {
        try retract()
        guard isLazy, isDirty else { return nil }
        let first = left.first.flatMap { FileName.segment.number(of: $0.file.name) } ?? header.number
        return UnsyncedSegments(numbers: first...header.number, end: nextPosition)
    }

    /// Takes note that segments have been synced.
    func settle(_ synced: UnsyncedSegments) throws(JournalError) {
        // Records may have been added to the last of them meanwhile.
        while let oldest = left.first, oldest.end <= synced.end {
            left.removeFirst()
            oldest.file.close()
        }
        if header.number == synced.numbers.upperBound { isNew = false }
        guard current.isInPlace else { throw .displaced(file: current.name) }
        try watch.check(before: header.number)
        syncedPosition = max(syncedPosition, synced.end)
        mark.note(DurableEnd(segment: synced.numbers.upperBound, position: syncedPosition))
    }

    private func lay(_ batch: ArraySlice<Submission>) {
        let leastDirect = header.hasLeads ? leastDirect : nil
        buffers.begin(count: batch.count, at: current.end, leastDirect: leastDirect)
        for (index, submission) in batch.enumerated() {
            let lead = leastDirect.map { submission.lead(at: buffers.end, leastDirect: $0) } ?? 0
            let head = RecordHeader(
                payload: submission.payloadCount, lead: lead, position: nextPosition, synced: syncedPosition,
                record: submission.record, previous: chain, payloadChecksum: submission.payloadChecksum)
            chain = buffers.add(submission, header: head, index: index, salt: header.salt)
            nextPosition += 1
        }
    }

    /// Removes a half-written batch from the disk, so that no restart can find refused records.
    ///
    /// A disk that fails writes fails this one too: it is tried again before anything else is written.
    private func retract() throws(JournalError) {
        guard mustRetract else { return }
        try directory.writing(current.name) { () throws(SystemError) in try current.truncate(to: current.end) }
        mustRetract = false
        try synchronizeCurrent()
    }

    // MARK: - Segments

    /// Starts the next segment.
    ///
    /// The old one is durable before the new one gets a name, unless nothing waits for syncs.
    func roll(toFit extent: Int, gap: UInt64 = 0) throws(JournalError) {
        if !isLazy || gap > 0 || left.count >= SegmentLog.mostLeft { try synchronize() }
        let file = try supply.take(toFit: extent)
        let next = SegmentHeader(
            number: header.number + 1, firstPosition: nextPosition + gap, chain: chain, gap: gap,
            durable: syncedPosition, isRecycled: file.isRecycled)
        let begun = try file.begun(as: next, durably: !isLazy)
        Failpoint.reach(.segmentNamed)
        trim()
        if isDirty || isNew { left.append((current, nextPosition)) } else { current.close() }
        isNew = isLazy
        current = begun
        header = next
        if !isDirty { syncedPosition += gap }
        nextPosition += gap
        // The successor of a segment proves its end.
        if !isLazy { mark.keep(durableEnd) }
    }

    /// Cuts a segment that has been left, if that frees most of it, or if its reader expects it.
    private func trim() {
        guard current.room > current.size / 2 || !header.endsWhereNextBegins else { return }
        try? current.truncate(to: current.end)
    }

    // MARK: - Ahead of need

    /// Batches of this size gain nothing from a filled file: writing their bytes costs more than the metadata.
    private static let largeBatch = 256 << 10

    /// Does one short piece of work that makes later appends cheaper; false if there is none.
    func prepare() throws(JournalError) -> Bool {
        guard lastBatchBytes > 0, !mustRetract else { return false }
        if lastBatchBytes < SegmentLog.largeBatch {
            // Filling a segment that someone else has truncated would hide the damage.
            guard current.isInPlace else { throw .displaced(file: current.name) }
            let limit = current.end + SegmentSupply.window
            if try attempt({ () throws(SystemError) in try current.fillOneStep(upTo: limit) }) {
                try synchronizeCurrent()
                return true
            }
            if try attempt({ () throws(SystemError) in try supply.fill() }) { return true }
        }
        // Records of half a segment or more usually need a file of another size.
        guard current.room < current.size / 2, lastBatchBytes < supply.segmentBytes / 2 else { return false }
        return try attempt { () throws(SystemError) in try supply.prepare() }
    }

    /// Runs work in advance.
    ///
    /// A full or read-only disk is not a failure here, because no append waits for it.
    private func attempt(_ work: () throws(SystemError) -> Bool) throws(JournalError) -> Bool {
        do {
            return try work()
        } catch {
            lastBatchBytes = 0
            let reason = JournalError(writing: current.name, error)
            if reason.heals { return false }
            throw reason
        }
    }

    /// Checks whether the last batch, which was refused, would now succeed.
    func makeRoom() throws(JournalError) {
        try retract()
        if current.room < wantedBytes { try supply.makeRoom(toFit: wantedBytes) }
    }

    // MARK: - The end

    /// Ends the journal cleanly, with a last, durable record as proof that no record before it is missing.
    func seal() throws(JournalError) {
        try write([Submission(Record(type: Record.seal, payload: []))])
        // No client waits for the seal: a journal without it has lost nothing.
        mark.keep()
        try synchronizeCurrent()
    }

    func close() {
        supply.discardAll()
        for (file, _) in left { file.close() }
        left = []
        current.close()
        mark.close()
    }
}
