// Leases: what renews one, what happens when the end of a lease and a heartbeat cross, and what is left
// of a worker afterwards. All times are given; no test sleeps.

import Names
import Testing
import Threading

@testable import ParameterServing

@Suite("Leases")
struct LeaseTests {
    /// A moment in milliseconds.
    private static func at(_ milliseconds: UInt64) -> Tick {
        Tick(uptime: milliseconds * 1_000_000, time: 1000 + Int(milliseconds / 1000))
    }

    /// A model whose worker `a` has a lease of a second since 0.
    private static func model() throws -> ModelState {
        var model = try Sample.model()
        try submit(.register(worker: "a", ttl: 1000), to: &model, at: 0)
        return model
    }

    /// Decides, logs and applies a command, as the model does.
    @discardableResult
    private static func submit(
        _ command: Command, to model: inout ModelState, at milliseconds: UInt64
    ) throws -> [Effect] {
        guard case .proceed(let decided) = try model.decide(command, at: at(milliseconds)) else { return [] }
        let effects = model.apply(decided, at: model.position, for: Ticket(number: model.position))
        for case .startLease(let worker) in effects { model.startLease(of: worker, at: at(milliseconds)) }
        if case .reply(_, .failure(let error))? = effects.last { throw error }
        return effects
    }

    /// The proposal to end the leases that have run out; there must be one.
    private static func proposal(of model: inout ModelState, at milliseconds: UInt64) throws -> Command {
        let command = model.endOfLeases(at: at(milliseconds))
        return try #require(command)
    }

    private static func push(_ seq: Int, epoch: Int, to model: ModelState) throws -> Command {
        .push(try model.makePush(["w": [0, 0, 0]], .sequence(worker: "a", epoch: epoch, seq: seq)))
    }

    @Test("a lease runs out when its time has passed, not before")
    func runsOut() throws {
        var model = try Self.model()
        #expect(model.leases.next == 1_000_000_000)
        #expect(model.endOfLeases(at: Self.at(999)) == nil)
        let command = try Self.proposal(of: &model, at: 1000)
        #expect(try Self.submit(command, to: &model, at: 1000).contains(.endEpoch(1, of: "a")))
        #expect(model.leases.next == nil)
        #expect(model.ledger.registered.isEmpty)
        #expect(model.facts(of: "a", at: Self.at(1000))?.isRegistered == false)
    }

    @Test("a push and a heartbeat renew the lease, in the current epoch only")
    func renewed() throws {
        var model = try Self.model()
        try Self.submit(try Self.push(1, epoch: 1, to: model), to: &model, at: 600)
        #expect(model.endOfLeases(at: Self.at(1599)) == nil)
        #expect(try model.renewLease(of: "a", epoch: 1, at: Self.at(1500)).expiresIn == .seconds(1))
        #expect(model.endOfLeases(at: Self.at(2499)) == nil)
        #expect(throws: ServingError.fenced(worker: "a", epoch: 7, current: 1)) {
            _ = try model.renewLease(of: "a", epoch: 7, at: Self.at(2499))
        }
        #expect(throws: ServingError.self) {
            try Self.submit(try Self.push(2, epoch: 0, to: model), to: &model, at: 2499)
        }
        #expect(model.endOfLeases(at: Self.at(2500)) != nil)
    }

    @Test("a heartbeat that arrives between the proposal and the decision wins, and the lease still ends later")
    func heartbeatWins() throws {
        var model = try Self.model()
        let command = try Self.proposal(of: &model, at: 1000)
        _ = try model.renewLease(of: "a", epoch: 1, at: Self.at(1001))
        guard case .repeated(.deleted) = try model.decide(command, at: Self.at(1001)) else {
            return #expect(Bool(false), "a lease was ended that had been renewed")
        }
        #expect(model.ledger.registered == ["a"] && model.leases.next == 2_001_000_000)
        #expect(model.endOfLeases(at: Self.at(2001)) != nil)
    }

    @Test("a push after the decision comes too late, and a heartbeat does not renew the lease")
    func tooLate() throws {
        var model = try Self.model()
        let command = try Self.proposal(of: &model, at: 1000)
        guard case .proceed(let decided) = try model.decide(command, at: Self.at(1000)) else { return }
        #expect(model.leases.isEnding("a"))
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
            _ = try model.renewLease(of: "a", epoch: 1, at: Self.at(1000))
        }
        let push = try Self.push(1, epoch: 1, to: model)
        #expect(throws: Deferred(.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true))) {
            _ = try model.proceed(with: push, at: Self.at(1000))
        }
        _ = model.apply(decided, at: model.position, for: Ticket(number: 1))
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
            _ = try model.decide(push, at: Self.at(1000))
        }
        // A log that has the push after the end is replayed without it.
        let before = model.optimizer.step
        _ = model.apply(push, at: model.position)
        #expect(model.optimizer.step == before)
    }

    @Test("an end that could not be logged is proposed again after the lease's time")
    func lost() throws {
        var model = try Self.model()
        let command = try Self.proposal(of: &model, at: 1000)
        guard case .proceed(let decided) = try model.decide(command, at: Self.at(1000)) else { return }
        #expect(model.leases.next == nil)
        model.forget(decided)
        #expect(model.leases.next == 2_000_000_000)
        #expect(model.endOfLeases(at: Self.at(2000)) != nil)
    }

    @Test("a registration between the proposal and the log is not ended with its predecessor")
    func registeredAgain() throws {
        var model = try Self.model()
        let command = try Self.proposal(of: &model, at: 1000)
        guard case .proceed(let decided) = try model.decide(command, at: Self.at(1000)) else { return }
        try Self.submit(.register(worker: "a", ttl: 1000), to: &model, at: 1000)
        let effects = model.apply(decided, at: model.position)
        #expect(!effects.contains { if case .endEpoch = $0 { true } else { false } })
        #expect(model.ledger.registered == ["a"] && model.ledger.epoch(of: "a") == 2)
        #expect(model.endOfLeases(at: Self.at(1999)) == nil && model.endOfLeases(at: Self.at(2000)) != nil)
    }

    @Test("after its lease a worker gets the receipts of applied pushes, 409 for new ones, and a new epoch")
    func afterwards() throws {
        var model = try Self.model()
        try Self.submit(try Self.push(1, epoch: 1, to: model), to: &model, at: 0)
        let command = try Self.proposal(of: &model, at: 1000)
        try Self.submit(command, to: &model, at: 1000)
        guard case .repeated(.receipt) = try model.decide(Self.push(1, epoch: 1, to: model), at: Self.at(1000)) else {
            return #expect(Bool(false), "the receipt is gone")
        }
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
            try Self.submit(try Self.push(2, epoch: 1, to: model), to: &model, at: 1000)
        }
        let effects = try Self.submit(.register(worker: "a"), to: &model, at: 1000)
        #expect(effects.contains(.startLease("a")))
        #expect(effects.last == .reply(Ticket(number: 7), .success(Outcome(answer: .registered(epoch: 2, lastSeq: 1)))))
        #expect(model.leases.next == nil, "a registration without a lease has none")
    }

    @Test("at a start each lease runs for its full time, whatever the clock says")
    func start() throws {
        var model = try Sample.modelWithLeases()
        model.startLeases(at: Self.at(5_000_000))
        #expect(model.leases.next == 5_030_000_000_000)
        #expect(model.ledger.registered == ["plain", "wörker"])
        let facts = try #require(model.facts(of: "wörker", at: Self.at(5_010_000)))
        #expect(facts.ttl == .seconds(30) && facts.expiresIn == .seconds(20) && facts.age == .seconds(10))
    }

    @Test("leases are part of an image and of what a replay must reach")
    func image() throws {
        let model = try Sample.modelWithLeases()
        let bytes = model.view.bytes
        #expect(bytes[8] == 6)
        let head = try ImageSource.of(bytes).head().head
        #expect(head.workers == model.ledger.workers && head.expired == model.ledger.expired)
        #expect(head.epochs == model.ledger.epochs && head.epochs.last == 4)
        #expect(head.workers["wörker"]?.ttl == 30_000 && head.workers["ended"]?.hasEnded == true)
        var other = model
        _ = other.apply(.endLeases([EndedLease(worker: "wörker", epoch: 1)]), at: 10)
        #expect(other.view.digest != model.view.digest)
    }

    @Test("the timer of a model ends the lease by a record, and a start finds the worker without it")
    func timer() throws {
        let (now, directory) = (Locked<UInt64>(1), try TemporaryDirectory())
        let timers = Timers { now.withLock { $0 } }
        var configuration = ServingConfiguration(memoryLimit: 1 << 30)
        configuration.timers = timers
        configuration.clock = { Tick(uptime: now.withLock { $0 }, time: 1000) }
        func open() throws -> ModelRegistry {
            try ModelRegistry.open(directory.data(), configuration: configuration, catalogue: .builtin) { _ in }.0
        }
        var registry = try open()
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
        _ = try model.perform(Change.register(worker: "a", ttl: .seconds(1)))
        _ = try model.perform(Change.register(worker: "b", ttl: .seconds(3)))
        #expect(model.inspected { $0.ledger.registered } == ["a", "b"])
        now.withLock { $0 += 1_500_000_000 }
        #expect(timers.turn() == .worked && timers.turn() == .idle)
        model.settle()
        #expect(model.inspected { $0.ledger.registered } == ["b"])
        registry.shutDown()
        now.withLock { $0 += 600_000_000_000 }
        registry = try open()
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        #expect(model.inspected { $0.ledger.registered } == ["b"], "the downtime does not count")
        #expect(timers.turn() == .idle)
        now.withLock { $0 += 3_000_000_000 }
        #expect(timers.turn() == .worked)
        model.settle()
        #expect(model.inspected { $0.ledger.registered } == [])
    }
}

extension Model {
    /// Waits until a command that was decided before has been applied: commands are logged in order.
    fileprivate func settle() {
        inspected { _ in }
        _ = try? perform(command: .note(.deleted))
    }
}
