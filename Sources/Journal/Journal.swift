// The interface of the journal: open, append, flush, read, delete, close. Implemented by Recovery (open), CommitLoop
// (the journal thread) and SegmentLog (the files).

import Glibc
import Threading

/// An append-only log of records in a directory, shared by any number of threads.
///
/// Records get the positions 1, 2, 3, ... in the order of their appends. The journal's own thread writes them, and one
/// sync covers everything that arrived during the previous sync. A CRC32C protects every byte on disk, and each record
/// contains that of the previous one.
public final class Journal: Sendable {
    /// The findings of opening.
    public let recovery: RecoveryReport
    let directory: Directory
    private let queue: CommitQueue
    private let status: Locked<CommitStatus>
    private let thread: LoopThread
    private let isClosed = Locked(false)
    /// The number of the first segment that the journal thread expects.
    let firstSegment: Locked<UInt64>
    private let spares: SpareSegments

    /// Opens the journal in `directory`, creating it if missing, and replays it.
    ///
    /// - Parameters:
    ///   - claim: The claim to the directory; if nil, `open` makes one.
    ///   - start: The first position to replay; earlier records may already be deleted.
    ///   - resume: The smallest position for the next append: one more than the last position that a snapshot covers.
    ///     Matters only after a power cut in a mode that does not wait for the sync.
    ///   - replay: Called with each record in order, on this thread, before `open` returns.
    /// - Throws: `.inUse`; `.corrupted` and `.unsupportedFormat` with file and offset (nothing is changed: see
    ///   `salvage`); `.replayRefused` if `replay` throws; `.inaccessible`, `.outOfSpace`, `.readOnlyFileSystem` and
    ///   `.failed` from the disk. A torn tail is not an error: it is removed and reported in `recovery`.
    public static func open(
        directory: String, holding claim: DirectoryClaim? = nil, settings: JournalSettings = JournalSettings(),
        from start: UInt64 = 1, resumingAt resume: UInt64 = 1, replay: (StoredRecord) throws -> Void
    ) throws(JournalError) -> Journal {
        try open(
            directory: directory, on: POSIXFileSystem(), holding: claim, settings: settings, from: start,
            resumingAt: resume, replay: replay)
    }

    /// `open` on any file system.
    package static func open(
        directory path: String, on disk: any FileSystem, holding claim: DirectoryClaim? = nil,
        settings: JournalSettings = JournalSettings(), from start: UInt64 = 1, resumingAt resume: UInt64 = 1,
        replay: (StoredRecord) throws -> Void
    ) throws(JournalError) -> Journal {
        let directory = Directory(path, on: disk)
        let claim = if let claim { claim } else { try DirectoryClaim(directory) }
        let mark = try PositionMark(directory)
        var recovery = Recovery(
            directory, settings: settings, from: start, resumingAt: resume, bound: mark.bound)
        let log = try recovery.run(replay)
        var report = recovery.report
        // Lost positions that a snapshot covers were acknowledged too.
        let end = log.nextPosition - report.lostPositions
        report.unprovenPositions = mark.bound > end ? mark.bound - end : 0
        return try Journal(directory, claim, log, mark, settings, report)
    }

    private init(
        _ directory: Directory, _ claim: DirectoryClaim, _ log: SegmentLog, _ mark: PositionMark,
        _ settings: JournalSettings, _ recovery: RecoveryReport
    ) throws(JournalError) {
        self.directory = directory
        self.recovery = recovery
        firstSegment = log.firstSegment
        spares = log.spares
        queue = CommitQueue()
        status = Locked(CommitStatus(nextPosition: log.nextPosition, syncedPosition: log.syncedPosition))
        let timers = Timers.process
        let loop = CommitLoop(
            log, mark: mark, settings: settings, queue: queue, claim: claim, status: status, timers: timers)
        guard timers.start(), let thread = LoopThread(loop) else {
            log.close()
            throw .inaccessible(file: "the journal thread", call: "pthread_create", code: EAGAIN)
        }
        self.thread = thread
    }

    deinit { close() }

    // MARK: - Writing

    /// Appends a record; calls `then` with its position once the mode's promise holds, or with the failure.
    ///
    /// The payload is checksummed here and written later, without a copy. Callbacks run on the journal thread in the
    /// order of the appends; the next sync waits for them, so they must only hand over. Concurrent appends are ordered
    /// by their entry into the queue. The queue has no limit of its own: the caller limits its bytes.
    ///
    /// After `close` the callback runs immediately, on this thread, with `.closed`.
    public func append(_ record: Record, then: @escaping @Sendable (Result<Acknowledgement, JournalError>) -> Void) {
        if !queue.add(.append(Submission(record), then: then)) { then(.failure(.closed)) }
    }

    /// Makes all previous appends durable, in any mode; returns the first position that is not.
    ///
    /// Call it before a snapshot of state that may contain records not yet synced, but not from a callback. In mode
    /// `none` the calling thread does the syncs, so that no append waits for them.
    @discardableResult
    public func flush() throws(JournalError) -> UInt64 {
        switch try request({ .flush(then: $0) }) {
        case .done(let position): return position
        case .left(let segments):
            let result = Result { () throws(JournalError) in try segments.synchronize(in: directory) }
            _ = try request { .flushed(segments, result, then: $0) }
            return segments.end
        }
    }

    /// Hands an item to the journal thread and waits for its result.
    private func request(
        _ item: (@escaping @Sendable (Result<Flush, JournalError>) -> Void) -> CommitItem
    ) throws(JournalError) -> Flush {
        let result = Future<Result<Flush, JournalError>>()
        guard queue.add(item { result.fulfil($0) }) else { throw .closed }
        return try result.wait().get()
    }

    // MARK: - State

    /// The position of the next record.
    public var nextPosition: UInt64 { status.withLock { $0.nextPosition } }

    /// All records before this position survive a power cut.
    public var syncedPosition: UInt64 { status.withLock { $0.syncedPosition } }

    /// Why nothing is written any more; `nil` while the journal works.
    public var failure: JournalError? { status.withLock { $0.failure } }

    /// Why the last append was refused; `nil` if the next one may succeed.
    ///
    /// Clears without a restart.
    public var obstacle: JournalError? { status.withLock { $0.trouble } }

    /// Calls `body` on the journal thread when appends start to be refused, with the reason, and with `nil` when they
    /// succeed again.
    public func watchObstacle(_ body: @escaping @Sendable (JournalError?) -> Void) {
        status.withLock { $0.watcher = body }
    }

    /// Writes and syncs the queue, seals the journal and releases the directory.
    ///
    /// Waits until that is done. Do not call it from a callback. Later calls do nothing.
    public func close() {
        let isFirst = isClosed.withLock { closed in
            defer { closed = true }
            return !closed
        }
        guard isFirst else { return }
        queue.close()
        thread.join()
    }
}

extension Journal {
    /// Passes the records from `start` up to `end` (excluded) to `body`, in order, while appends continue.
    ///
    /// Reads what had been written when the call began; `nil` for `end` means all of that. Segments with these records
    /// must not be deleted meanwhile.
    ///
    /// - Throws: `.replayRefused` when `body` throws, `.corrupted` and `.inaccessible` from the disk.
    public func read(
        from start: UInt64, upTo end: UInt64? = nil, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        let limit = min(end ?? .max, nextPosition)
        try Journal.read(directory, from: start, upTo: limit, body)
    }

    /// As above, from a directory that is not opened for writing; needs no lock.
    ///
    /// Stops at a torn tail.
    public static func read(
        directory: String, from start: UInt64 = 1, upTo end: UInt64? = nil, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        try read(directory: directory, on: POSIXFileSystem(), from: start, upTo: end, body)
    }

    package static func read(
        directory: String, on disk: any FileSystem, from start: UInt64 = 1, upTo end: UInt64? = nil,
        _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        try read(Directory(directory, on: disk), from: start, upTo: end ?? .max, body)
    }

    /// The first existing segment: its number, which is 1 until one is deleted, and its first position; `nil` if there
    /// is no segment.
    public static func firstSegment(directory: String) throws(JournalError) -> (number: UInt64, position: UInt64)? {
        try firstSegment(directory: directory, on: POSIXFileSystem())
    }

    package static func firstSegment(
        directory: String, on disk: any FileSystem
    ) throws(JournalError) -> (number: UInt64, position: UInt64)? {
        let directory = Directory(directory, on: disk)
        // Whether later ones are missing is a question for `open`, which knows what a power cut may have left.
        guard let first = try directory.fileNames().compactMap(FileName.segment.number).min() else { return nil }
        return (first, try SegmentReader.header(of: first, in: directory).firstPosition)
    }

    /// Whether there are segments, other than the newest, that contain only records before `position`.
    public func hasSegments(before position: UInt64) throws(JournalError) -> Bool {
        try !SegmentChain(directory).obsolete(before: position).isEmpty
    }

    /// Deletes the segments that contain only records before `position`; always keeps the newest.
    ///
    /// - Returns: The number of deleted segments.
    @discardableResult
    public func deleteSegments(before position: UInt64) throws(JournalError) -> Int {
        let chain = try SegmentChain(directory)
        let kept = chain.numbers.dropFirst(try chain.obsolete(before: position).count).first
        firstSegment.withLock { $0 = max($0, kept ?? 0) }
        return try chain.remove(before: position, keepingIn: spares)
    }

    private static func read(
        _ directory: Directory, from start: UInt64, upTo end: UInt64, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        let chain = try SegmentChain(directory)
        var previous: SegmentReader?
        for number in try chain.numbers(from: start) {
            let reader = try chain.open(number, after: previous)
            let isLast = number == chain.numbers.last
            _ = try SegmentChain.read(reader, isLast: isLast, upTo: end) { record throws(JournalError) in
                guard record.position >= start, record.type != Record.seal else { return }
                do {
                    try body(record)
                } catch {
                    throw .replayRefused(position: record.position, reason: "\(error)")
                }
            }
            if reader.nextPosition >= end { return }
            previous = reader
        }
    }
}

extension Journal {
    /// Appends a record and waits until it is durable, in any mode.
    ///
    /// Do not call it from a callback.
    ///
    /// - Returns: The record's position.
    public func appendDurably(_ record: Record) throws(JournalError) -> UInt64 {
        let result = Future<Result<Acknowledgement, JournalError>>()
        append(record) { result.fulfil($0) }
        let acknowledgement = try result.wait().get()
        if !acknowledgement.isDurable { try flush() }
        return acknowledgement.position
    }
}
