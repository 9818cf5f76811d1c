// A registry whose log a test holds back: its writes wait until the test lets them pass, so nothing depends on time.

import Glibc
import Journal
import Optimizers
import SimulatedMachine

@testable import ParameterServing
@testable import Threading

/// A registry on a simulated disk, and the gate in front of its writes.
///
/// In mode `none` each batch of records is one write, and nothing else is written.
final class HeldLog: Sendable {
    let registry: ModelRegistry
    /// The time in nanoseconds.
    let now: Locked<UInt64>
    private let disk = SimulatedDisk()
    /// The writes that have arrived, and the number up to which they pass; nil for all.
    private let writes = Locked<(arrived: Int, passing: Int?)>((0, nil))
    private let change = Condition()

    /// - Parameter mostJournal: the limit for the bytes of the journal that models need.
    init(mostJournal: Int = 256 << 20) throws {
        let now = Locked<UInt64>(0)
        var configuration = ServingConfiguration(memoryLimit: 1 << 30)
        (configuration.mostJournal, configuration.snapshotAllowance) = (mostJournal, min(64 << 20, mostJournal / 3))
        configuration.timers = Timers { now.withLock { $0 } }
        configuration.clock = { Tick(uptime: now.withLock { $0 }, time: 1_000_000_000) }
        let settings = JournalSettings(mode: .none, segmentBytes: 1 << 16)
        let data = try DataDirectory("/simulated", on: disk, settings: settings)
        registry = try ModelRegistry.open(data, configuration: configuration, catalogue: .builtin) { _ in }.0
        self.now = now
        disk.watch { [writes, change] name in
            guard name == "pwritev" else { return }
            let number = writes.withLock { state in
                state.arrived += 1
                return state.arrived
            }
            change.broadcast()
            writes.wait(for: change) { $0.passing.map { number <= $0 } ?? true ? () : nil }
        }
    }

    /// Lets the waiting write pass, or all.
    func open(forOne: Bool = false) {
        writes.withLock { state in state.passing = forOne ? state.passing.map { $0 + 1 } : nil }
        change.broadcast()
    }

    /// Waits until a write waits.
    func waitForWrite() {
        writes.wait(for: change) { state in state.passing.map { state.arrived > $0 } ?? true ? () : nil }
    }

    /// Sends a command, and waits until its record is about to be written.
    ///
    /// - Parameter fails: whether the disk then has no space for it.
    func hold(
        _ command: Command, of model: Model, fails: Bool = false
    ) -> Future<Result<Outcome, ServingError>> {
        writes.withLock { $0.passing = $0.arrived }
        let answer = model.send(command)
        waitForWrite()
        if fails { disk.plan(.error(ENOSPC), at: disk.calls + 1) }
        return answer
    }

    func end() {
        open()
        registry.shutDown()
    }
}

extension Model {
    /// Sends a command.
    ///
    /// Its refusal is there once the mailbox has handled another message, unless it waits.
    func send(_ command: Command) -> Future<Result<Outcome, ServingError>> {
        let answer = Future<Result<Outcome, ServingError>>()
        submit(command: command) { answer.fulfil($0) }
        return answer
    }
}
