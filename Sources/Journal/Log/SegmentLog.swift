// The journal's write side without its thread: batches in, segment files out. Journal's commit loop drives it;
// the fault tests drive it directly, since every call is plain and in order.

import Threading

/// The segments being written.
///
/// Not thread-safe: whoever holds it is the journal thread.
final class SegmentLog {
    let directory: Directory
    private let segmentBytes: Int
    private var current: SegmentFile
    private var header: SegmentHeader
    private var ahead: SegmentFile?
    private var buffers = BatchBuffers()
    private var lastBatchBytes = 0
    /// Bytes of the last batch that was to be written.
    private var wantedBytes = 0

    /// Position that the next record gets.
    private(set) var nextPosition: UInt64
    /// Every record before this position is durable.
    private(set) var syncedPosition: UInt64
    private var chain: UInt32
    private let mark: DurableMark
    private var watch: SegmentWatch
    /// Whether a batch that was refused may still be behind the last record.
    private var mustRetract = false

    /// Continues `current` behind its last record; everything in it is durable.
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
        syncedPosition = nextPosition
        mark.keep(durableEnd)
    }

    /// The number of the first segment that must be there; to be raised before segments are deleted.
    var firstSegment: Locked<UInt64> { watch.first }

    private var durableEnd: DurableEnd { DurableEnd(segment: header.number, position: syncedPosition) }

    /// When what the directory knows of the durable records should be synced, in monotonic nanoseconds.
    var markDue: UInt64? { mark.due }

    /// Syncs what the directory knows of the durable records.
    func keepMark() { mark.keep() }

    /// Whether records have been written that are not yet synced.
    var isDirty: Bool { syncedPosition < nextPosition }

    /// Writes the records behind the last one, all or none; durable after the next `synchronize`.
    ///
    /// They share a segment: the next one if the current has no room for them, as long as they need it.
    func write(_ batch: ArraySlice<Submission>) throws(JournalError) {
        let extent = batch.reduce(0) { $0 + $1.extent }
        wantedBytes = extent
        try retract()
        if extent > current.room { try roll(toFit: extent) }
        let before = (position: nextPosition, chain: chain)
        lay(batch)
        do {
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
            // Final whatever the code: the kernel may have dropped the pages, a second try would lie.
            throw .failed(file: current.name, call: error.call, code: error.code)
        }
        guard current.isInPlace else { throw .displaced(file: current.name) }
        try watch.check(before: header.number)
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

    /// Takes a half-written batch off the disk, so that no restart can find what was refused.
    ///
    /// A disk that takes no writes does not take this one either: it is tried again before anything else is written.
    private func retract() throws(JournalError) {
        guard mustRetract else { return }
        try directory.writing(current.name) { () throws(SystemError) in try current.truncate(to: current.end) }
        mustRetract = false
        try synchronizeCurrent()
    }

    // MARK: - Segments

    /// Begins the next segment.
    ///
    /// The old one is durable and cut to its length before the new one has a name.
    func roll(toFit extent: Int, gap: UInt64 = 0) throws(JournalError) {
        try synchronize()
        let next = SegmentHeader(
            number: header.number + 1, firstPosition: nextPosition + gap, chain: chain,
            salt: UInt32.random(in: 0 ... .max), gap: gap)
        let file = try SegmentLog.begin(next, using: takeAhead(toFit: extent), in: directory)
        Failpoint.reach(.segmentNamed)
        try? current.truncate(to: current.end)
        current.close()
        current = file
        header = next
        nextPosition += gap
        syncedPosition = nextPosition
        // A segment that was followed proves its successor.
        mark.keep(durableEnd)
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
            // The name may or may not be on the disk: going on with the old segment could make two successors.
            file.close()
            throw .failed(file: FileName.segment(header.number), call: error.call, code: error.code)
        }
        return file
    }

    private func takeAhead(toFit extent: Int) throws(JournalError) -> SegmentFile {
        if let file = ahead {
            ahead = nil
            if file.room >= extent { return file }
            file.discard()
        }
        return try SegmentLog.reserve(max(segmentBytes, SegmentHeader.size + extent), in: directory)
    }

    static func reserve(_ size: Int, in directory: Directory) throws(JournalError) -> SegmentFile {
        try directory.writing(FileName.ahead) { () throws(SystemError) in
            try SegmentFile(reserving: size, in: directory)
        }
    }

    // MARK: - Ahead of need

    /// Bytes behind the last record that idle time fills with zeros.
    private static let window = 4 << 20
    /// Batches from this size on gain nothing from a filled file: their bytes cost more than the books.
    private static let largeBatch = 256 << 10

    /// Does one short piece of work that makes later appends cheaper; false when there is none.
    func prepare() throws(JournalError) -> Bool {
        guard lastBatchBytes > 0, !mustRetract else { return false }
        if lastBatchBytes < SegmentLog.largeBatch {
            // Zeros would make up for what was cut off.
            guard current.isInPlace else { throw .displaced(file: current.name) }
            let limit = current.end + SegmentLog.window
            if try attempt({ () throws(SystemError) in try current.fillOneStep(upTo: limit) }) {
                try synchronizeCurrent()
                return true
            }
            if try attempt({ () throws(SystemError) in try fillAhead() }) { return true }
        }
        // Records of half a segment and more mostly need a file of another size.
        guard ahead == nil, current.room < current.size / 2, lastBatchBytes < segmentBytes / 2 else { return false }
        return try attempt { () throws(SystemError) in
            try keepAhead(try SegmentFile(reserving: segmentBytes, in: directory))
            return true
        }
    }

    /// Makes the file durable that the next segment is made of.
    ///
    /// After a failed sync the kernel may have dropped its pages, and a second one would lie: such a file goes.
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

    /// Runs work ahead of need; a full or read-only disk is not a failure here, because no append waits for it.
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

    /// Makes sure that the last batch, which was refused, would find room now.
    func makeRoom() throws(JournalError) {
        try retract()
        guard current.room < wantedBytes, ahead?.room ?? 0 < wantedBytes else { return }
        ahead?.discard()
        ahead = nil
        let file = try SegmentLog.reserve(max(segmentBytes, SegmentHeader.size + wantedBytes), in: directory)
        try directory.writing(FileName.ahead) { () throws(SystemError) in try keepAhead(file) }
    }

    // MARK: - The end

    /// Ends the journal in good order: with a last record, durable, that vouches for all before it.
    func seal() throws(JournalError) {
        try write([Submission(Record(type: Record.seal, payload: []))])
        // The seal was not acknowledged to anybody: a journal that lost it has lost nothing.
        mark.keep()
        try synchronizeCurrent()
    }

    func close() {
        ahead?.discard()
        ahead = nil
        current.close()
        mark.close()
    }
}
