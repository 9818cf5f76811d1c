// The journal thread's work: gather a batch, write and sync it once, call back in order. No timer delays a batch: under
// load, a batch is what arrived during the previous sync; a lone append is synced at once.

import Threading

/// The state of the journal thread that other threads can read.
struct CommitStatus: Sendable {
    var nextPosition: UInt64
    var syncedPosition: UInt64
    var failure: JournalError?
    var obstacle: JournalError?
    /// Called on the journal thread when appends start to be refused, when they succeed again, and when the failure is
    /// final.
    var watcher: (@Sendable (JournalError?) -> Void)?

    /// Why the next append would be refused, or `nil`.
    var trouble: JournalError? { failure ?? obstacle }
}

/// Turns items into writes, syncs and callbacks.
///
/// Owned by the journal thread.
///
/// 1. Positions are consecutive: a stored batch continues at the next position.
final class CommitLoop: Loop, @unchecked Sendable {
    private let log: SegmentLog
    private var mark: PositionMark
    private let settings: JournalSettings
    private let queue: CommitQueue
    private let claim: DirectoryClaim
    private let status: Locked<CommitStatus>
    private var backlog = Backlog<CommitItem>()
    private var failure: JournalError?
    /// Why the last batch was refused; `nil` once a batch has been taken, or would be.
    private var obstacle: JournalError?
    /// When records written in `interval` mode must be synced, in monotonic nanoseconds.
    private var deadline: UInt64?
    private let timers: Timers
    /// Wakes the thread when work is due although no item arrives; and the time it is set to.
    private let alarm: Timer
    private var alarmTime: UInt64?

    init(
        _ log: SegmentLog, mark: PositionMark, settings: JournalSettings, queue: CommitQueue, claim: DirectoryClaim,
        status: Locked<CommitStatus>, timers: Timers
    ) {
        self.log = log
        self.timers = timers
        alarm = Timer { _ in queue.ring() }
        self.claim = claim
        self.mark = mark
        self.settings = settings
        self.queue = queue
        self.status = status
    }

    /// Commits a batch, or prepares a later one.
    ///
    /// Once the queue is closed and empty, seals and closes the log.
    func turn() -> Turn {
        defer { syncIfDue() }
        backlog.append(queue.takeAll())
        if !backlog.isEmpty {
            commitBatch()
        } else if !prepareOnce() {
            guard queue.isFinished else { return .idle }
            seal()
            return .ended
        }
        return .worked
    }

    /// Waits for items or due work.
    ///
    /// After a quiet period following a refusal, checks whether the disk has room.
    func rest() {
        if let wakeUp, wakeUp != alarmTime {
            alarmTime = wakeUp
            timers.set(alarm, at: wakeUp)
        }
        if queue.wait() { return }
        alarmTime = nil
        tryAgain()
    }

    // MARK: - A batch

    private typealias Waiting = @Sendable (Result<Acknowledgement, JournalError>) -> Void

    /// Takes one batch, or one flush, from the backlog and completes it.
    private func commitBatch() {
        switch backlog.first {
        case .flush(let then): return flush(then) { () throws(JournalError) in try self.beginFlush() }
        case .flushed(let segments, let result, let then):
            return flush(then) { () throws(JournalError) in
                try result.get()
                try self.log.settle(segments)
                return nil
            }
        default: break
        }
        var submissions: [Submission] = []
        var waiting: [Waiting] = []
        gather(&submissions, &waiting)
        let first = log.nextPosition
        let result = attempt { () throws(JournalError) in try store(submissions[...]) }
        if case .failure(let error) = result { obstacle = error } else { obstacle = nil }
        invariant(
            obstacle != nil || log.nextPosition == first + UInt64(waiting.count),
            "1: after \(waiting.count) records from \(first) on comes \(log.nextPosition)")
        publish()
        Failpoint.reach(.afterSync)
        submissions = []  // Callbacks may reuse the memory of their records.
        let synced = log.syncedPosition
        for (position, then) in zip(first..., waiting) {
            then(result.map { Acknowledgement(position: position, isDurable: position < synced) })
        }
    }

    /// Runs part of a flush; `nil` if nothing is left for the caller to sync.
    private func flush(
        _ then: @Sendable (Result<Flush, JournalError>) -> Void,
        _ work: () throws(JournalError) -> UnsyncedSegments?
    ) {
        backlog.removeFirst()
        var left: UnsyncedSegments?
        let result = attempt { () throws(JournalError) in left = try work() }
        publish()
        then(result.map { left.map { .left($0) } ?? .done(log.syncedPosition) })
    }

    /// Syncs here, unless no append waits for syncs: then this thread does not either.
    private func beginFlush() throws(JournalError) -> UnsyncedSegments? {
        if let unsynced = try log.unsynced() { return unsynced }
        try log.synchronize()
        return nil
    }

    /// Takes appends from the backlog: as many as one sync may cover, and at least one.
    private func gather(_ submissions: inout [Submission], _ waiting: inout [Waiting]) {
        let limit = settings.mode == .sync ? 0 : settings.batchBytes
        var extent = 0
        while case .append(let submission, let then)? = backlog.first {
            extent += submission.extent
            guard submissions.isEmpty || extent <= limit else { break }
            submissions.append(submission)
            waiting.append(then)
            backlog.removeFirst()
        }
    }

    private func store(_ batch: ArraySlice<Submission>) throws(JournalError) {
        if !settings.mode.waitsForSync { try mark.cover(before: log.nextPosition + UInt64(batch.count)) }
        try log.write(batch)
        Failpoint.reach(.afterWrite)
        switch settings.mode {
        case .group, .sync:
            try log.synchronize()
            // A bound that stays too high only means that a restart skips some positions once.
            try? mark.settle(at: log.syncedPosition)
        case .interval(let milliseconds):
            deadline = deadline ?? Clock.now + UInt64(max(0, milliseconds)) * 1_000_000
        case .none: break
        }
    }

    // MARK: - Between batches

    /// When work is due although no item arrives.
    private var wakeUp: UInt64? {
        guard failure == nil else { return nil }
        let again = obstacle == nil ? nil : Clock.now + 1_000_000_000
        return [deadline, log.markDue, again].compactMap(\.self).min()
    }

    /// Checks whether the disk accepts writes again, for callers that ask before they send.
    private func tryAgain() {
        guard obstacle != nil, failure == nil else { return }
        if case .success = attempt({ () throws(JournalError) in try log.makeRoom() }) { obstacle = nil }
        publish()
    }

    private func syncIfDue() {
        if let due = log.markDue, failure == nil, Clock.now >= due { log.keepMark() }
        guard let due = deadline, Clock.now >= due else { return }
        deadline = nil
        _ = attempt { () throws(JournalError) in try log.synchronize() }
        publish()
    }

    /// One short step of preparation while no append waits; false if there is nothing left to prepare.
    ///
    /// Preparation makes syncs cheaper, so it only applies to modes in which an append waits for one.
    private func prepareOnce() -> Bool {
        guard settings.mode.waitsForSync else { return false }
        var more = false
        _ = attempt { () throws(JournalError) in more = try log.prepare() }
        publish()
        return more
    }

    private func seal() {
        _ = attempt { () throws(JournalError) in
            try log.synchronize()
            try log.seal()
            try? mark.settle(at: log.syncedPosition)
        }
        publish()
        timers.cancel(alarm)
        log.close()
        claim.release()
    }

    /// Runs the work unless an earlier failure was final; remembers such a failure.
    private func attempt(_ work: () throws(JournalError) -> Void) -> Result<Void, JournalError> {
        if let failure { return .failure(failure) }
        do {
            return .success(try work())
        } catch {
            if !error.heals { failure = error }
            return .failure(error)
        }
    }

    private func publish() {
        var now = CommitStatus(
            nextPosition: log.nextPosition, syncedPosition: log.syncedPosition, failure: failure,
            obstacle: obstacle)
        let before = status.withLock { status in
            defer { status = now }
            now.watcher = status.watcher
            return status.trouble
        }
        if before?.heals != now.trouble?.heals { now.watcher?(now.trouble) }
    }
}
