// A simulated history: a daemon, its disk and its clients on one thread, all decided by a seed. The daemon is real,
// from its registry down to the calls of the file system; it dies at any point and is started again.

import Journal
import Names
import Optimizers
import SimulatedMachine

@testable import ParameterServing
@testable import Threading

/// A history and the problems found in it.
final class Story: @unchecked Sendable {
    static let names = ["a", "b", "é"]

    var random: SeededGenerator
    let mode: JournalMode
    private(set) var disk = SimulatedDisk()
    private(set) var simulation = Simulation { _ in 0 }
    private(set) var registry: ModelRegistry?
    private(set) var life = 0
    var truths: [String: Truth] = [:]
    /// Requests that have no answer yet.
    var open: [Request] = []
    /// Answers in the order in which they came.
    var answers: [(request: Request, result: Result<Request.Answer, ServingError>)] = []
    var waits: [Wait] = []
    /// Every model that a client or a start has seen.
    var known: Set<ModelUID> = []
    var requests = 0
    private(set) var problems: [String] = []
    /// All events, to compare runs of the same seed.
    private(set) var trace = ""

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        mode = [.group, .group, .sync, .interval(milliseconds: 5), .none][Int.random(in: 0..<5, using: &random)]
        for name in Self.names { truths[name] = Truth() }
    }

    /// Runs the whole history; a broken invariant is a problem and does not stop the run, as in a release build.
    func run() {
        let broken = Invariants()
        Invariants.$collected.withValue(broken) { live() }
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
        finish()
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

    // MARK: Lives

    /// Starts the daemon; false if it died during the start.
    private func begin() -> Bool {
        life += 1
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
        return true
    }

    private func end(dies: Bool) {
        guard problems.isEmpty else { return }
        if dies { disk.cutPower() }
        let isDead = !disk.hasPower
        simulation.run {
            registry?.stop()
            registry?.close()
            if isDead { answers = [] } else { settle() }
        }
        registry = nil
        if isDead { crash() }
        checkWaits(isDead: isDead)
    }

    /// The disk as the next start finds it.
    private func crash() {
        answers = []
        let losesPower = pick(0...1) == 0
        note(losesPower ? "power cut" : "kill")
        disk = losesPower ? disk.afterPowerCut(seed: random.next()) : disk.afterKill()
        isUncertain = isUncertain || losesPower && (mode == .none || mode == .interval(milliseconds: 5))
    }

    /// Whether the next start may have lost acknowledged changes.
    private(set) var isUncertain = false

    /// Starts the daemon once more until every request is answered, then checks that another start finds the same.
    private func finish() {
        while problems.isEmpty, !begin() {}
        for _ in 0..<20_000 where problems.isEmpty && !open.isEmpty {
            simulation.run {
                for request in open where request.life < life { send(request) }
                simulation.turn()
                settle()
            }
        }
        if problems.isEmpty, let request = open.first { fail("\(request.name) \(request.kind) is never answered") }
        end(dies: false)
        guard problems.isEmpty, begin() else { return }
        end(dies: false)
    }

    // MARK: The findings of a start

    /// Compares the models that the daemon recovered with what the clients know.
    private func reconcile() {
        let models = Dictionary(uniqueKeysWithValues: (registry?.list() ?? []).map { ($0.name, $0) })
        for name in Self.names { reconcile(name, models[name]) }
        isUncertain = false
        for name in models.keys where !Self.names.contains(name) { fail("there is a model \(name)") }
    }

    private func reconcile(_ name: String, _ model: Model?) {
        guard var truth = truths[name] else { return }
        let moving = open.first { $0.name == name && $0.movesName }
        if model?.uid != truth.uid {
            let isNew = model.map { !known.contains($0.uid) } ?? false
            switch (moving?.kind, model) {
            case (.create, .some) where isNew: moving?.adopted = model?.uid
            case (.delete, nil): break
            default:
                let isOld = model.map { truth.past.contains($0.uid) } ?? true
                if !isUncertain || !isOld && !isNew {
                    fail(
                        "\(name) is \(model.map { "\($0.uid)" } ?? "gone"), not \(truth.uid.map { "\($0)" } ?? "gone")")
                }
            }
            truth.begin(model?.uid)
            // A model may have returned whose numbers the clients no longer know: they continue with far higher ones.
            truth.seqs = truth.seqs.map { _ in 1000 * life }
            truth.doubtWorkers()
            if let uid = model?.uid { known.insert(uid) }
        }
        if let adopted = moving?.adopted, adopted != model?.uid { moving?.adopted = nil }
        truths[name] = truth
        open.removeAll { $0.name == name && !$0.movesName && $0.uid != model?.uid }
        if let model { compare(model, name) }
    }

    /// Compares the newest version of a model with what the clients know.
    func compare(_ model: Model, _ name: String) {
        guard var truth = truths[name] else { return }
        let current = model.publication.current
        let counts = current.values(at: 0).map { -Int($0) }
        note("\(name) at version \(current.version): \(counts)")
        let mine = open.filter { $0.name == name && $0.uid == model.uid }
        if !isUncertain, !truth.allows(counts, step: current.step, open: mine) {
            fail("\(name) has \(counts) at \(current.cursor), not \(truth.counts), open: \(mine.map(\.kind))")
        }
        if current.version < truth.newest { fail("\(name) is at \(current.cursor), after version \(truth.newest)") }
        if let before = truth.shown[current.version], before != counts {
            fail("\(name) at \(current.cursor) is \(counts) and was \(before)")
        }
        truth.shown[current.version] = counts
        truth.newest = max(truth.newest, current.version)
        for request in mine where request.life < life {
            // The daemon died before it could answer this push, but has applied it.
            guard let worker = request.kind.worker, counts[worker] == truth.counts[worker] + 1 else { continue }
            truth.counts[worker] += 1
            request.isCounted = true
        }
        if isUncertain {
            truth.counts = counts
            truth.doubtWorkers()
            for request in mine { (request.isCounted, request.mayBeCounted) = (false, true) }
            // The push that a request repeats may be lost; the request would then be applied as the first.
            open.removeAll { $0.name == name && $0.isDoubtful }
        }
        truths[name] = truth
    }
}
