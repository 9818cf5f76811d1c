// The queue of appends for the journal thread. Items that arrive during a sync form the next batch.

import Threading

/// A request to the journal thread.
enum CommitItem: Sendable {
    case append(Submission, then: @Sendable (Result<Acknowledgement, JournalError>) -> Void)
    /// Makes everything before it durable, or says what the caller has to sync for that.
    case flush(then: @Sendable (Result<Flush, JournalError>) -> Void)
    /// The caller's sync, and whether it succeeded.
    case flushed(UnsyncedSegments, Result<Void, JournalError>, then: @Sendable (Result<Flush, JournalError>) -> Void)
}

/// The result of a flush.
enum Flush: Sendable {
    /// Every record before this position is durable.
    case done(UInt64)
    /// The caller has to sync these.
    case left(UnsyncedSegments)
}

/// Items in order of arrival.
///
/// Any thread adds; only the journal thread takes.
final class CommitQueue: Sendable {
    private struct State {
        var items: [CommitItem] = []
        var isClosed = false
        var isDue = false
    }

    private let state = Locked(State())
    private let arrival = Condition()

    /// Adds the item; false once the queue is closed.
    func add(_ item: CommitItem) -> Bool {
        let (accepted, wasEmpty) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed { return (false, false) }
            state.items.append(item)
            return (true, state.items.count == 1)
        }
        if wasEmpty { arrival.signal() }
        return accepted
    }

    /// Takes all queued items without waiting.
    func takeAll() -> [CommitItem] {
        state.withLock { state in
            var items: [CommitItem] = []
            swap(&items, &state.items)
            return items
        }
    }

    /// Wakes the journal thread for due work although no item has arrived.
    func ring() {
        state.withLock { $0.isDue = true }
        arrival.signal()
    }

    /// Waits for items, the end, or a ring; false if only a ring came.
    func wait() -> Bool {
        state.wait(for: arrival) { state in
            let hasCome = !state.items.isEmpty || state.isClosed
            guard hasCome || state.isDue else { return nil }
            state.isDue = false
            return hasCome
        }
    }

    /// Whether the queue is closed and empty.
    var isFinished: Bool { state.withLock { $0.isClosed && $0.items.isEmpty } }

    /// Refuses further items; the journal thread finishes the queued ones.
    func close() {
        state.withLock { $0.isClosed = true }
        arrival.signal()
    }
}
