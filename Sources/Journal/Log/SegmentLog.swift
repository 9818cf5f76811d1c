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
    private let segmentBytes: Int
    private var current: SegmentFile
    private var header: SegmentHeader
    private var ahead: SegmentFile?
    /// Files of deleted segments.
    let spares: SpareSegments
    private var buffers = BatchBuffers()
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
        _ directory: Directory, segmentBytes: Int, current: SegmentFile, header: SegmentHeader, nextPosition: UInt64,
        chain: UInt32, mark: DurableMark, firstSegment: UInt64
    ) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        self.current = current
        self.header = header
        self.nextPosition = nextPosition
        self.chain = chain
        self.mark = mark
        watch = SegmentWatch(directory, first: firstSegment)
        spares = SpareSegments(in: directory, leastSize: segmentBytes)
        syncedPosition = nextPosition
        mark.keep(durableEnd)
    }

    /// The number of the first segment that must exist; raise it before deleting segments.
    var firstSegment: Locked<UInt64> { watch.first }

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
        let extent = batch.reduce(0) { $0 + $1.extent }
        wantedBytes = extent
        try retract()
        if extent > current.room { try roll(toFit: extent) }
        let before = (position: nextPosition, chain: chain)
        lay(batch)
        do {
            invariant(extent <= current.room, "2: \(extent) bytes for \(current.room)")
            try buffers.write(to: current.descriptor, at: current.end, on: directory.disk)
        } catch {
            (nextPosition, chain) = before
            let reason = JournalError(writing: current.name, error)
            guard reason.heals else { throw reason }
            mustRetract = true
            do { try retract() } catch  where error.heals {}
            throw reason
        }
        current.end += extent
        lastBatchBytes = extent
    }

    /// Makes all written records durable.
    func synchronize() throws(JournalError) {
        try retract()
        guard isDirty else { return }
        try synchronizeCurrent()
        mark.note(durableEnd)
    }

    private func synchronizeCurrent() throws(JournalError) {
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

    private func lay(_ batch: ArraySlice<Submission>) {
        buffers.begin(count: batch.count)
        for (index, submission) in batch.enumerated() {
            let head = RecordHeader(
                payload: submission.payloadCount, position: nextPosition, synced: syncedPosition,
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
    /// The old one is durable before the new one gets a name.
    func roll(toFit extent: Int, gap: UInt64 = 0) throws(JournalError) {
        try synchronize()
        let file = try takeAhead(toFit: extent)
        let next = SegmentHeader(
            number: header.number + 1, firstPosition: nextPosition + gap, chain: chain, gap: gap,
            durable: syncedPosition, isRecycled: file.isRecycled)
        let begun = try SegmentLog.begin(next, using: file, in: directory)
        Failpoint.reach(.segmentNamed)
        trim()
        current.close()
        current = begun
        header = next
        nextPosition += gap
        syncedPosition = nextPosition
        // The successor of a segment proves its end.
        mark.keep(durableEnd)
    }

    /// Cuts a segment that has been left, if that frees most of it, or if its reader expects it.
    private func trim() {
        guard current.room > current.size / 2 || !header.endsWhereNextBegins else { return }
        try? current.truncate(to: current.end)
    }

    /// Writes the header, names the file and makes the name durable.
    static func begin(
        _ header: SegmentHeader, using file: SegmentFile, in directory: Directory
    ) throws(JournalError) -> SegmentFile {
        let names: Int32
        var file = file
        do {
            names = try directory.openNames()
        } catch {
            file.discard()
            throw JournalError(writing: "the directory", error)
        }
        defer { directory.disk.close(names) }
        do {
            try file.takeIntoUse(header)
        } catch {
            file.discard()
            throw JournalError(writing: FileName.segment(header.number), error)
        }
        do {
            try directory.disk.synchronizeNames(names)
        } catch {
            // The name may or may not be on disk: continuing with the old segment could create two successors.
            file.close()
            throw .failed(file: FileName.segment(header.number), call: error.call, code: error.code)
        }
        return file
    }

    private func takeAhead(toFit extent: Int) throws(JournalError) -> SegmentFile {
        if let file = spares.take(SegmentHeader.size + extent) { return file }
        if let file = ahead {
            ahead = nil
            if file.room >= extent { return file }
            file.discard()
        }
        return try reserve(toFit: extent)
    }

    /// Makes a new file; if the disk is full, in the place of those that are kept for later.
    private func reserve(toFit extent: Int) throws(JournalError) -> SegmentFile {
        let size = SegmentLog.size(toFit: extent, leastSize: segmentBytes)
        do throws(JournalError) {
            return try SegmentLog.reserve(size, in: directory)
        } catch .outOfSpace {
            spares.discardAll()
            return try SegmentLog.reserve(size, in: directory)
        }
    }

    /// The size of a new segment; rounded up, so that batches of nearly the same length can use each other's files.
    private static func size(toFit extent: Int, leastSize: Int) -> Int {
        let (needed, part) = (SegmentHeader.size + extent, leastSize / 16)
        return needed <= leastSize ? leastSize : (needed + part - 1) / part * part
    }

    static func reserve(_ size: Int, in directory: Directory) throws(JournalError) -> SegmentFile {
        try directory.writing(FileName.ahead) { () throws(SystemError) in
            try SegmentFile(reserving: size, in: directory)
        }
    }

    // MARK: - Ahead of need

    /// The bytes after the last record that idle time fills with zeros.
    private static let window = 4 << 20
    /// Batches of this size gain nothing from a filled file: writing their bytes costs more than the metadata.
    private static let largeBatch = 256 << 10

    /// Does one short piece of work that makes later appends cheaper; false if there is none.
    func prepare() throws(JournalError) -> Bool {
        guard lastBatchBytes > 0, !mustRetract else { return false }
        if lastBatchBytes < SegmentLog.largeBatch {
            // Filling a segment that someone else has truncated would hide the damage.
            guard current.isInPlace else { throw .displaced(file: current.name) }
            let limit = current.end + SegmentLog.window
            if try attempt({ () throws(SystemError) in try current.fillOneStep(upTo: limit) }) {
                try synchronizeCurrent()
                return true
            }
            if try attempt({ () throws(SystemError) in try fillAhead() }) { return true }
        }
        // Records of half a segment or more usually need a file of another size.
        guard ahead == nil, current.room < current.size / 2, lastBatchBytes < segmentBytes / 2,
            !spares.has(segmentBytes)
        else { return false }
        return try attempt { () throws(SystemError) in
            try keepAhead(try SegmentFile(reserving: segmentBytes, in: directory))
            return true
        }
    }

    /// Makes the file of the next segment durable.
    ///
    /// After a failed sync the kernel may have dropped its pages, and a second sync could report false success: discard
    /// such a file.
    private func keepAhead(_ file: SegmentFile) throws(SystemError) {
        do {
            try file.synchronize()
        } catch {
            ahead = nil
            file.discard()
            throw error
        }
        ahead = file
    }

    private func fillAhead() throws(SystemError) -> Bool {
        guard var file = ahead else { return false }
        guard try file.fillOneStep(upTo: SegmentLog.window) else { return false }
        try keepAhead(file)
        return true
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
        guard current.room < wantedBytes, ahead?.room ?? 0 < wantedBytes else { return }
        guard !spares.has(SegmentHeader.size + wantedBytes) else { return }
        ahead?.discard()
        ahead = nil
        let file = try reserve(toFit: wantedBytes)
        try directory.writing(FileName.ahead) { () throws(SystemError) in try keepAhead(file) }
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
        ahead?.discard()
        ahead = nil
        spares.discardAll()
        current.close()
        mark.close()
    }
}
