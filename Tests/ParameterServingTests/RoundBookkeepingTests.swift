// What rounds and their waiting requests leave behind: in the forecast, in the memory budget, and among the callbacks.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Bookkeeping of rounds")
struct RoundBookkeepingTests {
    private static let now = Tick(uptime: 0, time: 1000)

    private static func assembly() -> ModelAssembly {
        ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
    }

    private static func model(_ consistency: SettingValue, in assembly: ModelAssembly) throws -> ModelState {
        let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1, "consistency": consistency]
        var model = try assembly.assemble(
            "m", ModelUID(number: 7), .definition(ModelDefinition.of(settings, [("w", [0, 0])])))
        model.begin(at: 1)
        return model
    }

    private static func push(_ worker: Name, to model: ModelState) throws -> Push {
        try model.makePush(["w": [1, 1]], .sequence(worker: worker, epoch: 0, seq: 1))
    }

    /// Decides a push, and applies it for a request with ticket 1.
    private static func hold(_ push: Push, in model: inout ModelState) throws -> [Effect] {
        guard case .proceed(let command) = try model.decide(.push(push), at: now) else { return [] }
        return model.apply(command, at: 2, for: Ticket(number: 1))
    }

    /// Figures whose names are `count` long texts.
    private static func metrics(_ count: Int) -> [Scalar] {
        (0..<count).map { Scalar(name: Name("\($0)" + String(repeating: "m", count: 200)), value: 1) }
    }

    @Test("a push refused for lack of memory leaves the pushes in progress in the forecast")
    func forecast() throws {
        let assembly = Self.assembly()
        var model = try Self.model(["mode": "sync", "workers": 3], in: assembly)
        let decided = try model.decide(.push(Self.push("a", to: model)), at: Self.now)
        guard case .proceed(let first) = decided else { throw ServingError.stopping }
        var large = try Self.push("b", to: model)
        large.metrics = Self.metrics(60)
        let rest = try assembly.budget.reserve(assembly.budget.limit - assembly.budget.reserved)
        #expect(throws: ServingError.self) { try model.decide(.push(large), at: Self.now) }
        rest.shrink(to: 0)
        var second = try Self.push("a", to: model)
        second.key?.seq = 2
        #expect(throws: Deferred(.alreadyInRound(worker: "a", step: 1, received: 1, needed: 3))) {
            try model.proceed(with: .push(second), at: Self.now)
        }
        guard case .proceed = try model.decide(.push(large), at: Self.now) else {
            Issue.record("the push that was refused is taken for a repeated one")
            return
        }
        _ = model.apply(first, at: 2, for: Ticket(number: 1))
        #expect(model.forecast.view(after: model.roundView).workers == ["a", "b"])
    }

    @Test("a request cannot close a round whose update would have no learning rate; its pushes stay in it")
    func rates() throws {
        var model = try Self.model(["mode": "manual"], in: Self.assembly())
        let closing = Command.closeRound(RoundClosing(action: .update))
        _ = model.apply(.push(try Self.push("a", to: model)), at: 2)
        _ = model.apply(closing, at: 3)
        _ = model.apply(.push(try Self.push("b", to: model)), at: 4)
        _ = model.apply(.reconfigure(SettingsPatch(patch: ["learning_rate": [0.5]]), ifVersion: nil), at: 5)
        let refusal = ServingError.learningRateExhausted(group: "default", step: 1, length: 1)
        #expect(throws: refusal) { try model.decide(closing, at: Self.now) }
        #expect(model.round.held.count == 1 && model.forecast.count == 0)
        _ = model.apply(.reconfigure(SettingsPatch(patch: ["learning_rate": 0.5]), ifVersion: nil), at: 6)
        guard case .proceed = try model.decide(closing, at: Self.now) else {
            Issue.record("the round is not closed")
            return
        }
    }

    @Test("held pushes count what they report and bring, until the round is settled")
    func details() throws {
        var model = try Self.model(["mode": "manual"], in: Self.assembly())
        var push = try Self.push("a", to: model)
        push.metrics = Self.metrics(60)
        push.hyperparameters = Hyperparameters(["learning_rate": 0.5])
        _ = model.apply(.push(push), at: 2)
        #expect(model.round.bytes > 60 * 200)
        let image = RoundImage(model.round, of: model.facts.uid, in: model.layout)
        let read = try image.read(in: model.layout, model.pool) { _ in false }
        #expect(read.bytes > 60 * 200)
        _ = model.apply(.closeRound(RoundClosing(action: .update)), at: 3)
        #expect(model.round.bytes < 1000)
    }

    @Test("the gradient of a round has a buffer in the budget before its closing is logged")
    func promise() throws {
        let budget = MemoryBudget(limit: 1 << 20)
        let pool = ArenaPool(count: 1000, budget: budget)
        pool.expect(reductions: true)
        try pool.promise()
        let rest = try budget.reserve(budget.limit - budget.reserved)
        let taken = [pool.takePromised(), pool.takeForVersion()]
        #expect(taken.count == 2 && budget.reserved <= budget.limit)
        rest.shrink(to: 0)
        pool.keepPromise()
    }

    @Test("a model with rounds needs the memory of one more copy of its values to take a step")
    func size() throws {
        func refusal(_ settings: SettingValue, limit: Int) -> ServingError? {
            ModelSize((0, 0), settings, plan: 0, arena: 1000, limit: limit).refusal
        }
        #expect(refusal(["optimizer": "sgd"], limit: 3000) == nil)
        let rounds: SettingValue = ["optimizer": "sgd", "consistency": ["mode": "manual"]]
        #expect(refusal(rounds, limit: 3999) == .tooLargeToStep(needed: 4000, limit: 3999))
        #expect(refusal(rounds, limit: 4000) == nil)
    }

    @Test("only requests that still wait are kept with a held push")
    func tickets() throws {
        var model = try Self.model(["mode": "manual"], in: Self.assembly())
        let push = try Self.push("a", to: model)
        _ = try Self.hold(push, in: &model)
        for number in 2...100 {
            model.round.attach(Ticket(number: UInt64(number)), push.key, nil) { $0.number == 50 }
        }
        #expect(model.round.held[0].tickets.map(\.number) == [50, 100])
    }

    @Test("a push that is held after the model has ended is answered at once")
    func ended() throws {
        var model = try Self.model(["mode": "manual"], in: Self.assembly())
        let effects = try Self.hold(Self.push("a", to: model), in: &model)
        guard case .reply(_, let result)? = effects.last else { throw ServingError.stopping }
        let answers = Collector<String>()
        var waiters = Waiters()
        let ticket = waiters.add(Waiter(reply: { _ in answers.add("answered") }, held: { _, _ in answers.add("held") }))
        waiters.end(.stopping, at: RoundProgress(received: 1))
        waiters.reply(ticket, result)
        for answer in waiters.takeAnswers() { answer() }
        #expect(answers.all == ["answered"])
    }

    @Test("a push that waits when the daemon stops is told of the round as it is then")
    func stopped() throws {
        var model = try Self.model(["mode": "sync", "workers": 4], in: Self.assembly())
        let effects = try Self.hold(Self.push("a", to: model), in: &model)
        guard case .reply(_, let result)? = effects.last else { throw ServingError.stopping }
        let told = Collector<RoundReceipt?>()
        let waiter = Waiter(
            reply: { result in
                if case .success(let outcome) = result, case .receipt(let receipt) = outcome.answer {
                    told.add(receipt.round)
                }
            }, held: { _, _ in })
        var waiters = Waiters()
        waiters.reply(waiters.add(waiter), result)
        waiters.end(.stopping, at: RoundProgress(received: 3, needed: 5, closesIn: .seconds(7)))
        for answer in waiters.takeAnswers() { answer() }
        #expect(told.all == [RoundReceipt(state: .held, step: 1, received: 3, needed: 5, closesIn: .seconds(7))])
    }
}

@Suite("The gate of clocks")
struct ClockGateTests {
    @Test("workers that come and go leave no names behind once enough have pushed")
    func names() {
        var clocks = WorkerClocks()
        for number in 0..<1000 {
            clocks.tick("stays", of: 3)
            clocks.tick(Name("job-\(number)"), of: 3)
            clocks.leave(Name("job-\(number)"), wasRegistered: false, of: 3)
        }
        #expect(clocks.departed.count <= 3 && clocks.clocks == ["stays": 1000])
        #expect(clocks.slowest(of: 3) == 1000)
    }

    @Test("a worker that comes back starts with the slowest, however few have stayed")
    func back() {
        var clocks = WorkerClocks()
        for _ in 0..<5 { for worker in ["a", "b"] as [Name] { clocks.tick(worker, of: 2) } }
        clocks.leave("b", wasRegistered: false, of: 2)
        clocks.tick("b", of: 2)
        #expect(clocks.clocks == ["a": 5, "b": 6])
    }

    @Test("a registered worker that leaves without a push is not waited for; an unknown one leaves no place")
    func silent() {
        var clocks = WorkerClocks()
        for _ in 0..<3 { clocks.tick("a", of: 2) }
        clocks.leave("unknown", wasRegistered: false, of: 2)
        #expect(clocks.slowest(of: 2) == 0)
        clocks.leave("b", wasRegistered: true, of: 2)
        #expect(clocks.slowest(of: 2) == 3)
        clocks.tick("b", of: 2)
        #expect(clocks.clocks == ["a": 3, "b": 4] && clocks.departed.isEmpty)
    }
}
