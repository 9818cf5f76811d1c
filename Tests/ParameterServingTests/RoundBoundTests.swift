// The bounds on the pushes of a round with krum or trimmed_mean: at a definition, a change, a registration, a push and a
// request to close it, and not at a start.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("The pushes of a round with a robust reduction")
struct RoundBoundTests {
    private static let now = Tick(uptime: 0, time: 1000)
    private static let most = 64

    private static func definition(_ consistency: SettingValue) -> ModelDefinition {
        ModelDefinition.of(["optimizer": "sgd", "learning_rate": 1, "consistency": consistency], [("w", [0, 0])])
    }

    /// A model and the position of its next record.
    private struct Bench {
        var state: ModelState
        var position: UInt64 = 2

        init(_ consistency: SettingValue) throws {
            let configuration = ServingConfiguration(memoryLimit: 1 << 24, threads: 0)
            state = try ModelAssembly(configuration, .builtin).assemble(
                "m", ModelUID(number: 7), .definition(definition(consistency)))
            state.begin(at: 1)
        }

        mutating func decide(_ command: Command) throws {
            guard let command = try state.proceed(with: command, at: now) else { throw ServingError.stopping }
            apply(command, for: Ticket(number: position))
        }

        mutating func apply(_ command: Command, for ticket: Ticket? = nil) {
            _ = state.apply(command, at: position, for: ticket)
            position += 1
        }

        func push(_ worker: Name? = nil) throws -> Command {
            .push(try state.makePush(["w": [1, 1]], worker.map { seq(1, $0) }))
        }

        /// Pushes of different workers as a start reads them.
        mutating func replay(_ pushes: Int) throws {
            for number in 0..<pushes { apply(try push(Name("w\(number)"))) }
        }
    }

    private static let krum: SettingValue = ["mode": "manual", "reduce": "krum", "byzantine": 1]

    private static func patch(_ settings: SettingValue) -> Command {
        .reconfigure(SettingsPatch(patch: settings), ifVersion: nil)
    }

    @Test("a push beyond them is refused, also if the others are on their way to the log, until the round is closed")
    func pushes() throws {
        var bench = try Bench(Self.krum)
        try bench.replay(Self.most - 1)
        guard case .proceed(let last) = try bench.state.decide(bench.push(), at: Self.now) else {
            throw ServingError.stopping
        }
        let full = ServingError.roundFull(pushes: Self.most, limit: Self.most)
        #expect(throws: Deferred(full)) { try bench.decide(bench.push()) }
        bench.state.forget(last)
        try bench.decide(bench.push())
        #expect(throws: full) { try bench.decide(bench.push()) }
        try bench.decide(.closeRound(RoundClosing(action: .update)))
        #expect(bench.state.optimizer.step == 1)
        try bench.decide(bench.push())
        #expect(bench.state.round.held.count == 1)
    }

    @Test("a start accepts more, from an earlier release, and such a model can be changed")
    func earlier() throws {
        var bench = try Bench(["mode": "sync", "workers": 100, "reduce": "krum", "byzantine": 1])
        try bench.replay(Self.most + 1)
        #expect(bench.state.round.held.count == Self.most + 1)
        try bench.decide(Self.patch(["learning_rate": 0.5]))
        #expect(throws: ServingError.self) { try bench.decide(Self.patch(["consistency": ["min_pushes": 70]])) }
        #expect(bench.state.version == 2)
    }

    @Test("a change to krum is refused while the round has more, and other reductions have no such bound")
    func changes() throws {
        var bench = try Bench(["mode": "manual", "reduce": "median"])
        try bench.replay(Self.most)
        try bench.decide(bench.push())
        let toKrum = Self.patch(["consistency": ["reduce": "krum", "byzantine": 1]])
        #expect(throws: ServingError.roundFull(pushes: Self.most + 1, limit: Self.most)) {
            try bench.decide(toKrum)
        }
        try bench.decide(.closeRound(RoundClosing(action: .update)))
        try bench.decide(toKrum)
        #expect(bench.state.facts.consistency.mostPushes == Self.most)
    }

    @Test("rounds that wait for all registered workers have at most as many workers")
    func registered() throws {
        let krum: SettingValue = [
            "mode": "sync", "workers": "registered", "min_pushes": 5, "reduce": "krum", "byzantine": 1,
        ]
        var bench = try Bench(krum)
        for number in 0..<Self.most { try bench.decide(.register(worker: Name("w\(number)"))) }
        #expect(throws: ServingError.tooManyRegistered(Self.most, limit: Self.most)) {
            try bench.decide(.register(worker: "late"))
        }
        try bench.decide(.register(worker: "w3"))
        try bench.decide(.dismiss(worker: "w5"))
        try bench.decide(.register(worker: "late"))
        var other = try Bench(["mode": "sync", "workers": "registered"])
        for number in 0...Self.most { try other.decide(.register(worker: Name("w\(number)"))) }
        #expect(throws: ServingError.tooManyRegistered(Self.most + 1, limit: Self.most)) {
            try other.decide(Self.patch(["consistency": krum]))
        }
    }

    @Test(
        "a definition with more is refused, and one with too few to tell the wrong ones",
        arguments: [
            (["mode": "sync", "workers": 65], "/consistency/workers", "at most 64; got 65"),
            (["mode": "sync", "workers": 65, "min_pushes": 40], "/consistency/workers", "at most 64; got 65"),
            (["mode": "sync", "min_pushes": 65], "/consistency/min_pushes", "at most 64; got 65"),
            (["mode": "sync", "workers": "registered", "min_pushes": 65], "/consistency/min_pushes", "at most 64"),
            (["mode": "sync", "workers": "registered", "min_pushes": 4], "/consistency/min_pushes", "got 4"),
            (["mode": "sync", "workers": "registered"], "/consistency/min_pushes", "Add `\"min_pushes\":5` or more"),
            (["mode": "sync", "min_pushes": 4], "/consistency/min_pushes", "2 * byzantine + 3 pushes"),
            (["mode": "sync", "workers": 1], "/consistency/workers", "2 * byzantine + 3 pushes"),
            (["mode": "sync", "workers": 64, "min_pushes": 4], "/consistency/min_pushes", "got 4"),
        ] as [(SettingValue, String, String)])
    func definitions(_ mode: SettingValue, _ pointer: String, _ words: String) {
        let settings = mode.setting("reduce", to: "krum").setting("byzantine", to: 1)
        do throws(ServingError) {
            _ = try wrapping { () throws(OptimizerError) in try Consistency(settings) }
            try Self.definition(settings).checkLimits()
            Issue.record("accepted")
        } catch {
            guard case .invalid(let complaints) = error else { return #expect(Bool(false), "\(error)") }
            #expect(complaints.map(\.pointer) == [pointer] && complaints[0].detail.contains(words))
        }
    }

    @Test("definitions within the bounds are accepted")
    func accepted() throws {
        let modes: [SettingValue] = [
            ["mode": "sync", "workers": 64], ["mode": "sync", "workers": 64, "min_pushes": 5],
            ["mode": "sync", "min_pushes": 64], ["mode": "sync", "workers": "registered", "min_pushes": 5],
            ["mode": "manual"],
        ]
        for mode in modes {
            try Self.definition(mode.setting("reduce", to: "krum").setting("byzantine", to: 1)).checkLimits()
        }
        try Self.definition(["mode": "sync", "workers": 65, "reduce": "median"]).checkLimits()
        try Self.definition(["mode": "async"]).checkLimits()
        try Self.definition(["mode": "sync", "workers": 10, "reduce": "trimmed_mean"]).checkLimits()
        try Self.definition(["mode": "sync", "workers": 3, "reduce": "trimmed_mean", "trim": 0.34]).checkLimits()
        try Self.definition(["mode": "sync", "workers": 3, "reduce": "trimmed_mean", "trim": 0]).checkLimits()
        try Self.definition(["mode": "manual", "reduce": "trimmed_mean"]).checkLimits()
        let registered: SettingValue = ["mode": "sync", "workers": "registered"]
        try Self.definition(registered.setting("reduce", to: "median")).checkLimits()
        let trimmed = registered.setting("reduce", to: "trimmed_mean")
        try Self.definition(trimmed.setting("trim", to: 0)).checkLimits()
        try Self.definition(trimmed.setting("min_pushes", to: 10)).checkLimits()
        #expect(throws: ServingError.self) { try Self.definition(trimmed).checkLimits() }
    }

    @Test("a start closes a round as an earlier release has closed it, with too few pushes")
    func closedEarlier() throws {
        var manual = try Bench(Self.krum)
        try manual.replay(2)
        manual.apply(.closeRound(RoundClosing(action: .update)))
        #expect(manual.state.optimizer.step == 1)
        #expect(manual.state.published.values(at: 0).elementsEqual([-1, -1]))
        var registered = try Bench(["mode": "sync", "workers": "registered", "reduce": "krum", "byzantine": 1])
        registered.apply(.register(worker: "a"))
        registered.apply(.push(try registered.state.makePush(["w": [1, 1]], seq(1, "a", epoch: 1))))
        #expect(registered.state.optimizer.step == 1)
    }
}
