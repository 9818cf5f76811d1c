// A model's state during a start: the thread that reads the journal hands over its records, the executor's threads apply
// them, each model's in order, so that many models come back in parallel. The Backlog bounds how far reading runs ahead.

import Optimizers
import Threading

/// A state that takes in its records.
final class ReplayedModel: Runnable, @unchecked Sendable {
    private typealias Entry = (command: Command, position: UInt64, bytes: Int)

    /// The executor's until all records that were handed over have been applied.
    var state: ModelState
    let name: String
    let uid: ModelUID
    let layout: ArenaLayout
    let pool: ArenaPool
    let firstPosition: UInt64
    private let inbox = Inbox<Entry>()
    private let executor: Executor
    private let watch: RuleWatch?
    private let backlog: Backlog

    init(_ state: ModelState, _ assembly: ModelAssembly, _ backlog: Backlog) {
        self.state = state
        name = state.facts.name
        uid = state.facts.uid
        layout = state.layout
        pool = state.pool
        firstPosition = state.firstPosition
        executor = assembly.executor
        watch = assembly.watch
        self.backlog = backlog
    }

    /// Hands over a record, which takes that many bytes until it has been applied.
    func add(_ command: Command, at position: UInt64, bytes: Int) {
        backlog.add(bytes)
        if inbox.add((command, position, bytes)) { executor.schedule(self) }
    }

    /// Applies what has been handed over; called by the executor.
    func run() {
        // A record's memory is free when the next one begins.
        var applied = 0
        let isBusy = inbox.drain { entry in
            backlog.remove(applied)
            applied = entry.bytes
            _ = state.apply(entry.command, at: entry.position, noting: watch)
        }
        backlog.remove(applied)
        if isBusy { executor.schedule(self) }
    }
}

/// Bytes of the records that have been read and are not applied yet.
final class Backlog: Sendable {
    private let bytes = Locked(0)
    private let change = Condition()

    func add(_ count: Int) { bytes.withLock { $0 += count } }

    func remove(_ count: Int) {
        bytes.withLock { $0 -= count }
        change.signal()
    }

    /// Waits until at most so many bytes are left.
    func wait(keeping most: Int) { bytes.wait(for: change) { $0 <= most ? () : nil } }
}
