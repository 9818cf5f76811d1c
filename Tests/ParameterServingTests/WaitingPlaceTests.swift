// The places for requests that wait other than for a version: pulls of workers that are too far ahead, pushes in rounds,
// and workers at barriers.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Places for requests that wait")
struct WaitingPlaceTests {
    private static func clocks(_ ahead: Int, _ behind: Int) -> WorkerClocks {
        WorkerClocks(clocks: ["ahead": ahead, "behind": behind])
    }

    private static func rule() throws -> StaleSynchronous? {
        if case .ssp(let rule) = try Consistency(["mode": "ssp", "workers": 2, "slack": 1]) { rule } else { nil }
    }

    private static func arrival(_ worker: Name, of count: Int) -> Arrival {
        Arrival(barrier: "b", worker: worker, count: count)
    }

    private static func barriers(_ places: WaitingPlaces, most: Int = 100) -> Barriers {
        var configuration = ServingConfiguration(memoryLimit: 1 << 20, threads: 0)
        configuration.mostAtBarriers = most
        return Barriers(configuration, MemoryBudget(limit: 1 << 20), places)
    }

    @Test("a pull of a worker that is too far ahead takes one until it continues or is cancelled")
    func gate() throws {
        let places = WaitingPlaces(1)
        let gate = ClockGate(places)
        gate.update(Self.clocks(5, 1), rule: try Self.rule())
        let (tokens, resumed) = (Collector<WaitToken>(), Locked(0))
        func pull() throws {
            try gate.wait(for: "ahead", parked: { tokens.add($0) }, resume: { resumed.withLock { $0 += 1 } })
        }
        try pull()
        #expect(throws: ServingError.tooManyWaiting(limit: 1)) { try pull() }
        gate.cancel(tokens.all[0])
        gate.cancel(tokens.all[0])
        try pull()
        gate.update(Self.clocks(5, 4), rule: try Self.rule())
        #expect(resumed.withLock { $0 } == 1 && places.take())
        // A worker that need not wait needs no place.
        try pull()
        #expect(resumed.withLock { $0 } == 2 && tokens.all.count == 2)
        places.free(1)
    }

    @Test("a gate that opens while the caller arranges for the end of the wait lets the pull continue after that")
    func parkedFirst() throws {
        let gate = ClockGate(WaitingPlaces(1))
        gate.update(Self.clocks(5, 1), rule: try Self.rule())
        let steps = Collector<String>()
        let rule = try Self.rule()
        try gate.wait(for: "ahead") { _ in
            gate.update(Self.clocks(5, 4), rule: rule)
            steps.add("parked")
        } resume: {
            steps.add("resumed")
        }
        #expect(steps.all == ["parked", "resumed"])
        gate.update(Self.clocks(9, 4), rule: rule)
        // A client that has left at that moment does not wait.
        try gate.wait(for: "ahead", parked: gate.cancel, resume: { steps.add("resumed") })
        gate.end()
        #expect(steps.all == ["parked", "resumed"])
    }

    @Test("a worker at a barrier takes one, except for the last and for one that does not wait")
    func barrier() throws {
        let places = WaitingPlaces(1)
        let barriers = Self.barriers(places)
        let answers = Collector<Result<BarrierFacts, ServingError>>()
        func arrive(_ worker: Name, waits: Bool = true) throws -> Barriers.Answer {
            let resume: @Sendable (Result<BarrierFacts, ServingError>) -> Void = { answers.add($0) }
            return try barriers.arrive(
                Self.arrival(worker, of: 3), at: Tick(time: 0), resume: waits ? resume : nil)
        }
        guard case .waits = try arrive("a") else { return #expect(Bool(false), "`a` is alone") }
        #expect(throws: ServingError.tooManyWaiting(limit: 1)) { _ = try arrive("b") }
        guard case .held(let facts) = try arrive("b", waits: false) else { return #expect(Bool(false), "held") }
        #expect(facts.arrived == 2)
        guard case .passed = try arrive("c") else { return #expect(Bool(false), "all are there") }
        #expect(answers.all.count == 1 && places.take())
    }

    @Test("further requests of a worker that has arrived count against the limit of the model, too")
    func repeated() throws {
        let barriers = Self.barriers(WaitingPlaces(), most: 5)
        func arrive(_ worker: Name) throws -> Barriers.Answer {
            try barriers.arrive(Self.arrival(worker, of: 2), at: Tick(time: 0), resume: { _ in })
        }
        for _ in 1...3 {
            guard case .waits = try arrive("a") else { return #expect(Bool(false), "`a` is alone") }
        }
        #expect(throws: ServingError.tooManyAtBarriers(limit: 5)) { _ = try arrive("a") }
        guard case .passed = try arrive("b") else { return #expect(Bool(false), "both are there") }
    }

    @Test("a push in a round takes one, or is answered at once that it is held")
    func round() throws {
        var configuration = ServingConfiguration(memoryLimit: 1 << 30)
        configuration.mostWaiting = 1
        let registry = ModelRegistry(configuration: configuration, catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(
            ["optimizer": "sgd", "learning_rate": 1, "consistency": ["mode": "sync", "workers": 3]], [("w", [0])])
        let answers = Collector<Result<Answered<Receipt>, ServingError>>()
        let waits = Collector<RoundWait>()
        func push(_ worker: Name) throws -> Future<Void> {
            let done = Future<Void>()
            let change = Change.push(try model.makePush(["w": [1]], seq(1, worker)))
            model.submit(push: change) { _, wait in
                waits.add(wait)
                done.fulfil(())
            } reply: { result in
                answers.add(result)
                done.fulfil(())
            }
            return done
        }
        try push("a").wait()
        #expect(waits.all.count == 1 && answers.all.isEmpty)
        try push("b").wait()
        let held = try #require(answers.all.first).get()
        #expect(waits.all.count == 1 && held.answer.round?.state == .held)
        try push("c").wait()
        #expect(model.publication.current.step == 1)
    }
}
