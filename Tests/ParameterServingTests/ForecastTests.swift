// What a push is decided against: the round as it will be once the registrations and pushes before it are applied.

import Names
import Optimizers
import Testing

@testable import ParameterServing
@testable import Threading

@Suite("Forecasts of rounds")
struct ForecastTests {
    private static let now = Tick(uptime: 0, time: Tick.simulatedStart)

    /// A model whose rounds have the given members, with commands that are decided and applied by hand.
    private struct Bench {
        var state: ModelState
        private var tickets: UInt64 = 0

        init(_ consistency: SettingValue) throws {
            let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1, "consistency": consistency]
            let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
            let definition = ModelDefinition.of(settings, [("w", [0])])
            state = try assembly.assemble("m", ModelUID(number: 1), .definition(definition))
            state.begin(at: 1)
        }

        /// Decides a command, which is then in progress.
        @discardableResult
        mutating func decide(_ command: Command, at now: Tick = ForecastTests.now) throws -> Command? {
            try state.proceed(with: command, at: now)
        }

        /// Decides a push of a worker that pulled step 0.
        @discardableResult
        mutating func push(_ worker: Name, epoch: Int, seq number: Int = 1) throws -> Command? {
            try decide(.push(state.makePush(["w": [1]], seq(number, worker, epoch: epoch), basedOn: .step(0))))
        }

        /// Applies a command that was in progress.
        mutating func apply(_ command: Command?) throws {
            tickets += 1
            _ = state.apply(try #require(command), at: state.position, for: Ticket(number: tickets))
        }
    }

    @Test("a push of an epoch whose end is in progress is fenced, and does not count for the round")
    func fence() throws {
        var bench = try Bench(["mode": "sync", "workers": 2])
        try bench.apply(bench.decide(.register(worker: "a")))
        try bench.apply(bench.push("b", epoch: 0))
        let registration = try bench.decide(.register(worker: "a"))
        #expect(throws: Deferred(.fenced(worker: "a", epoch: 1, current: 2))) { try bench.push("a", epoch: 1) }
        // The round is still open: it is not too late for a third worker.
        try bench.apply(registration)
        try bench.apply(bench.push("c", epoch: 0))
        #expect(bench.state.optimizer.step == 1)
    }

    @Test("a deletion and the end of a lease in progress fence too, and a registration that was not logged does not")
    func endings() throws {
        var bench = try Bench(["mode": "sync", "workers": 2])
        try bench.apply(bench.decide(.register(worker: "a", ttl: 1)))
        let fenced = Deferred(.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true))
        for ending in [Command.dismiss(worker: "a"), .register(worker: "a")] {
            let decided = try bench.decide(ending)
            #expect(throws: Deferred.self) { try bench.push("a", epoch: 1) }
            bench.state.forget(try #require(decided))
        }
        bench.state.startLeases(at: Self.now)
        let late = Tick(uptime: 1_000_000_000, time: Self.now.time)
        let due = bench.state.endOfLeases(at: late)
        let ending = try bench.decide(try #require(due), at: late)
        #expect(throws: fenced) { try bench.push("a", epoch: 1) }
        bench.state.forget(try #require(ending))
        try bench.apply(bench.push("a", epoch: 1))
        #expect(bench.state.round.held.count == 1)
    }

    @Test("a round of registered workers waits for one whose registration is in progress")
    func joining() throws {
        var bench = try Bench(["mode": "sync", "workers": "registered"])
        for worker in ["a", "b"] as [Name] { try bench.apply(bench.decide(.register(worker: worker))) }
        try bench.apply(bench.push("a", epoch: 1))
        let registration = try bench.decide(.register(worker: "c"))
        let push = try bench.push("b", epoch: 2)
        // It is refused for what has been applied, and the round waits for three workers.
        #expect(throws: ServingError.alreadyInRound(worker: "a", step: 1, received: 1, needed: 2)) {
            try bench.push("a", epoch: 1, seq: 2)
        }
        #expect(bench.state.forecast.view(after: bench.state.roundView).received == 2)
        try bench.apply(registration)
        try bench.apply(push)
        #expect(bench.state.optimizer.step == 0)
        try bench.apply(bench.push("c", epoch: 3))
        #expect(bench.state.optimizer.step == 1)
    }

    @Test("a round of registered workers with a quorum is not closed by a deletion in progress that leaves too few")
    func quorum() throws {
        var bench = try Bench(["mode": "sync", "workers": "registered", "min_pushes": 2])
        for worker in ["a", "b"] as [Name] { try bench.apply(bench.decide(.register(worker: worker))) }
        try bench.apply(bench.push("a", epoch: 1))
        let deletion = try bench.decide(.dismiss(worker: "b"))
        #expect(throws: ServingError.alreadyInRound(worker: "a", step: 1, received: 1, needed: 2)) {
            try bench.push("a", epoch: 1, seq: 2)
        }
        try bench.apply(deletion)
        #expect(bench.state.optimizer.step == 0)
        try bench.apply(bench.decide(.register(worker: "c")))
        try bench.apply(bench.push("c", epoch: 3))
        #expect(bench.state.optimizer.step == 1)
    }

    @Test("a round of registered workers does not wait for one whose deletion is in progress")
    func leaving() throws {
        var bench = try Bench(["mode": "sync", "workers": "registered"])
        for worker in ["a", "b"] as [Name] { try bench.apply(bench.decide(.register(worker: worker))) }
        try bench.apply(bench.push("a", epoch: 1))
        let deletion = try bench.decide(.dismiss(worker: "b"))
        // The deletion closes the round; until it has been logged, the push is refused for what has been applied.
        #expect(bench.state.forecast.view(after: bench.state.roundView).step == 1)
        #expect(throws: ServingError.alreadyInRound(worker: "a", step: 1, received: 1, needed: 2)) {
            try bench.push("a", epoch: 1, seq: 2)
        }
        try bench.apply(deletion)
        #expect(bench.state.optimizer.step == 1)
    }
}
