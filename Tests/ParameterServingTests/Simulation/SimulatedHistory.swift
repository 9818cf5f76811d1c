// A daemon on a simulated disk, all decided by a seed. The daemon is real, from its registry down to the calls of the
// file system; it dies at any point and is started again. Histories of clients are made of it.

import Journal
import SimulatedMachine

@testable import ParameterServing
@testable import Threading

/// A history of a daemon, and the problems found in it.
class SimulatedHistory: @unchecked Sendable {
    var random: SeededGenerator
    let mode: JournalMode
    private(set) var disk = SimulatedDisk()
    private(set) var simulation = Simulation { _ in 0 }
    private(set) var registry: ModelRegistry?
    private(set) var life = 0
    private(set) var problems: [String] = []
    /// All events, to compare runs of the same seed.
    private(set) var trace = ""
    /// Whether the next start may have lost acknowledged changes.
    private(set) var isUncertain = false
    /// Whether the daemon has been asked to stop.
    private(set) var isStopping = false

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        mode = [.group, .group, .sync, .interval(milliseconds: 5), .none][Int.random(in: 0..<5, using: &random)]
    }

    /// Runs the whole history; a broken invariant is a problem and does not stop the run, as in a release build.
    func run() {
        let broken = Invariants()
        Invariants.$collected.withValue(broken) {
            live()
            finish()
        }
        for violation in broken.violations { fail("\(violation.place): \(violation.belief)") }
    }

    private func live() {
        for _ in 0..<pick(2...4) where problems.isEmpty {
            let dies = pick(0...5) > 0
            if dies, pick(0...1) == 0 { disk.plan(.powerCut, at: disk.calls + pick(1...160)) }
            guard begin() else { continue }
            for _ in 0..<pick(20...250) where disk.hasPower && problems.isEmpty { turn() }
            end(dies: dies)
        }
    }

    func pick(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    func fail(_ problem: String) { problems.append("life \(life): \(problem)") }

    func note(_ event: @autoclosure () -> String) { trace += event() + "\n" }

    private func turn() {
        simulation.run {
            if pick(0...3) == 0 { act() } else { simulation.turn() }
            settle()
        }
    }

    // MARK: What a history does

    /// Does one step of one client.
    func act() {}

    /// Records the answers since the last call.
    func settle() {}

    /// Forgets answers that no client has got.
    func forgetAnswers() {}

    /// Compares what the daemon recovered with what the clients know.
    func reconcile() {}

    /// Judges the requests that wait, once the daemon has ended.
    func checkWaits(isDead: Bool) {}

    /// Lets every request get its answer, then checks that another start finds the same.
    func finish() {}

    // MARK: Lives

    /// Starts the daemon; false if it died during the start.
    func begin() -> Bool {
        life += 1
        isStopping = false
        simulation = Simulation { [unowned self] count in pick(0...count - 1) }
        do {
            registry = try simulation.run {
                let settings = JournalSettings(mode: mode, segmentBytes: 4096)
                let directory = try DataDirectory("/simulated", on: disk, settings: settings)
                var configuration = ServingConfiguration(
                    memoryLimit: 1 << 30, receiptWindow: 4, snapshotAllowance: 1 << pick(9...12))
                configuration.timers = Timers { Clock.now }
                _ = LoopThread(configuration.timers)
                return try ModelRegistry.open(directory, configuration: configuration, catalogue: .builtin) { _ in }.0
            }
        } catch {
            registry = nil
            guard !disk.hasPower else {
                fail("the start failed: \(error)")
                return false
            }
            crash()
            return false
        }
        note("life \(life), \(disk.calls) calls")
        simulation.run { reconcile() }
        isUncertain = false
        return true
    }

    func end(dies: Bool) {
        guard problems.isEmpty else { return }
        if dies { disk.cutPower() }
        let isDead = !disk.hasPower
        isStopping = true
        simulation.run {
            registry?.stop()
            registry?.close()
            if isDead { forgetAnswers() } else { settle() }
        }
        registry = nil
        if isDead { crash() }
        checkWaits(isDead: isDead)
    }

    /// The disk as the next start finds it.
    private func crash() {
        forgetAnswers()
        let losesPower = pick(0...1) == 0
        note(losesPower ? "power cut" : "kill")
        disk = losesPower ? disk.afterPowerCut(seed: random.next()) : disk.afterKill()
        isUncertain = isUncertain || losesPower && (mode == .none || mode == .interval(milliseconds: 5))
    }
}
