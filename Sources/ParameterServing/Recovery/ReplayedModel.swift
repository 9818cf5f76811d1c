// A model's state during a start: the thread that reads the journal passes on its records, the executor's threads apply
// them, in order for each model, so that many models recover in parallel. The Backlog limits how far reading runs
// ahead.

import Optimizers
import Threading

/// A state that receives its records.
final class ReplayedModel: Runnable, @unchecked Sendable {
    private typealias Entry = (command: Command, position: UInt64, bytes: Int)

    /// Belongs to the executor until all records passed on have been applied.
    var state: ModelState
    /// The events of its records; belongs to the executor like `state`.
    private(set) var events: EventRing
    let name: String
    let uid: ModelUID
    /// The layout of the records that are read next, and its arenas.
    private(set) var layout: ArenaLayout
    private(set) var pool: ArenaPool
    let firstPosition: UInt64
    private let inbox = Inbox<Entry>()
    private let executor: Executor
    private let watch: RuleWatch?
    private let backlog: Backlog

    init(_ state: ModelState, _ assembly: ModelAssembly, _ backlog: Backlog) {
        self.state = state
        events = EventRing(of: state, assembly.configuration)
        name = state.facts.name
        uid = state.facts.uid
        layout = state.layout
        pool = state.pool
        firstPosition = state.firstPosition
        executor = assembly.executor
        watch = assembly.watch
        self.backlog = backlog
    }

    /// Passes on a record, which counts this many bytes until it has been applied.
    func add(_ command: Command, at position: UInt64, bytes: Int) {
        backlog.add(bytes)
        if inbox.add((command, position, bytes)) { executor.schedule(self) }
    }

    /// Follows a change of the layout, so that the next records are read for the new one.
    ///
    /// Called when all records passed on have been applied.
    func followLayout() { (layout, pool) = (state.layout, state.pool) }

    /// Applies the records passed on.
    ///
    /// Called by the executor.
    func run() {
        // Frees a record's memory before the next one starts.
        var applied = 0
        let isBusy = inbox.drain { entry in
            backlog.remove(applied)
            applied = entry.bytes
            note(state.apply(entry.command, at: entry.position, noting: watch))
        }
        backlog.remove(applied)
        if isBusy { executor.schedule(self) }
    }

    private func note(_ effects: [Effect]) {
        for case .event(let event, let number, let time) in effects {
            events.add(FeedEvent(id: EventID(number: number), model: name, uid: uid, time: time, event: event))
        }
    }

    /// Skips versions, and events with them: readers may have seen some that are lost.
    ///
    /// Called when all records passed on have been applied.
    func skip(_ versions: Int, at position: UInt64, _ configuration: ServingConfiguration) {
        state.skip(versions: versions, at: position)
        events = EventRing(of: state, configuration)
    }
}

extension EventRing {
    /// The empty ring of a model in this state.
    init(of state: ModelState, _ configuration: ServingConfiguration) {
        self.init(most: configuration.keptEvents, floor: EventID(number: state.eventCount))
    }
}

/// The bytes of records that have been read but not applied.
final class Backlog: Sendable {
    private let bytes = Locked(0)
    private let change = Condition()

    func add(_ count: Int) { bytes.withLock { $0 += count } }

    func remove(_ count: Int) {
        bytes.withLock { $0 -= count }
        change.signal()
    }

    /// Waits until at most this many bytes are left.
    func wait(keeping most: Int) { bytes.wait(for: change) { $0 <= most ? () : nil } }
}
