// The journal as its users see it: open, append, flush, read back, forget, close. The work is done by Recovery (open),
// CommitLoop (the journal thread) and SegmentLog (the files).

import Glibc
import Threading

/// An append-only log of records in a directory, shared by any number of threads.
///
/// Records get the positions 1, 2, 3, ... in the order of their appends. One thread of the journal's own writes them,
/// and syncs once for all that arrived during the sync before. Every byte on disk is under a CRC32C, and each record
/// carries that of the one before.
public final class Journal: Sendable {
    /// What opening found.
    public let recovery: RecoveryReport
    let directory: Directory
    private let queue: CommitQueue
    private let status: Locked<CommitStatus>
    private let thread: LoopThread
    private let isClosed = Locked(false)
    /// The number of the first segment that the journal thread expects to find.
    let firstSegment: Locked<UInt64>

    /// Opens the journal in `directory`, which is made if it is missing, and replays it.
    ///
    /// - Parameters:
    ///   - claim: The claim to the directory; without one it is claimed here.
    ///   - start: First position to replay; earlier records may already be deleted.
    ///   - resume: Smallest position that the next append may get: one more than the last that a snapshot covers. It
    ///     matters only after a power cut in a mode that does not wait for the sync.
    ///   - replay: Called with each record in order, on this thread, before `open` returns.
    /// - Throws: `.inUse`; `.corrupted` and `.unsupportedFormat` with file and offset (nothing is changed: see
    ///   `salvage`); `.replayRefused` when `replay` throws; `.inaccessible`, `.outOfSpace`, `.readOnlyFileSystem` and
    ///   `.failed` from the disk. A torn tail is not an error: it is dropped and told in `recovery`.
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
        var recovery = Recovery(directory, settings: settings, from: start, resumingAt: resume)
        let log = try recovery.run(replay)
        var report = recovery.report
        // Positions that were lost although a snapshot covers them were acknowledged too.
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

    /// Appends a record; `then` hears where it went once the mode's promise holds, or why it did not.
    ///
    /// The payload is checksummed here and written later from where it is. Callbacks come on the journal thread in
    /// the order of the appends; the next sync waits for them, so they only hand over. Of concurrent appends, the
    /// order is that in which they entered the queue. The queue has no bound of its own: its bytes are the caller's.
    ///
    /// After `close` the callback runs at once, on this thread, with `.closed`.
    public func append(_ record: Record, then: @escaping @Sendable (Result<Acknowledgement, JournalError>) -> Void) {
        if !queue.add(.append(Submission(record), then: then)) { then(.failure(.closed)) }
    }

    /// Makes everything appended before this call durable, in any mode; the callback gets the first position that is
    /// not.
    ///
    /// Call it before a snapshot of state that may hold records not yet synced.
    public func flush(then: @escaping @Sendable (Result<UInt64, JournalError>) -> Void) {
        if !queue.add(.flush(then: then)) { then(.failure(.closed)) }
    }

    // MARK: - State

    /// Position that the next record gets.
    public var nextPosition: UInt64 { status.withLock { $0.nextPosition } }

    /// Every record before this position survives a power cut.
    public var syncedPosition: UInt64 { status.withLock { $0.syncedPosition } }

    /// Why nothing is written any more, or `nil` while all is well.
    public var failure: JournalError? { status.withLock { $0.failure } }

    /// Why the last append was refused, or `nil` while the next one may succeed; it clears without a restart.
    public var obstacle: JournalError? { status.withLock { $0.trouble } }

    /// Has `body` told, on the journal thread, when appends begin to be refused and why, and when that is over (`nil`).
    public func watchObstacle(_ body: @escaping @Sendable (JournalError?) -> Void) {
        status.withLock { $0.watcher = body }
    }

    /// Writes and syncs what is queued, seals the journal and lets go of the directory.
    ///
    /// Waits for all of it; not to be called from a callback. Later calls do nothing.
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
