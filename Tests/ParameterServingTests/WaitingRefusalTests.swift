// A refusal whose reason is on its way to the log: a kill could undo the reason, so the client hears of it only once it
// has been logged, and its request is carried out if that fails.

import Names
import Optimizers
import Testing

@testable import ParameterServing
@testable import Threading

@Suite("Refusals that wait for the log")
struct WaitingRefusalTests {
    /// A refusal and the command that causes it.
    struct Refusal: Sendable, CustomTestStringConvertible {
        let settings: SettingValue
        /// The commands that are applied before.
        var before: [@Sendable (Model) throws -> Command] = []
        /// The command whose record waits.
        let cause: @Sendable (Model) throws -> Command
        /// The command that it refuses.
        let refused: @Sendable (Model) throws -> Command
        let reason: ServingError

        var testDescription: String { "\(reason)" }
    }

    private static func push(
        _ key: PushKey? = nil, at step: Int? = nil, bringing rate: Double? = nil
    ) -> @Sendable (Model) throws -> Command {
        { model in
            var push = try model.makePush(["w": [1]], key, basedOn: step.map { .step($0) })
            push.hyperparameters = rate.map { Hyperparameters(["learning_rate": .number($0)]) }
            return .push(push)
        }
    }

    private static let register: @Sendable (Model) throws -> Command = { _ in .register(worker: "a") }
    private static let close: @Sendable (Model) throws -> Command = { _ in .closeRound(RoundClosing(action: .update)) }

    static let late = Refusal(
        settings: ["mode": "sync", "workers": 2], before: [push(seq(1))], cause: push(seq(1, "b")),
        refused: push(seq(1, "c"), at: 0), reason: .roundClosed(basedOn: 0, step: 1))
    static let stale = Refusal(
        settings: ["mode": "async", "max_staleness": 0, "staleness_policy": "reject"], cause: push(at: 0),
        refused: push(at: 0), reason: .tooStale(staleness: 1, limit: 0, step: 1))
    static let cases = [
        late, stale,
        Refusal(
            settings: ["mode": "sync", "workers": 3], cause: push(seq(1)), refused: push(seq(2)),
            reason: .alreadyInRound(worker: "a", step: 1, received: 1, needed: 3)),
        Refusal(
            settings: ["mode": "async"], before: [register], cause: register, refused: push(seq(1, epoch: 1)),
            reason: .fenced(worker: "a", epoch: 1, current: 2)),
        Refusal(
            settings: ["mode": "async"], before: [register], cause: { _ in .dismiss(worker: "a") },
            refused: push(seq(1, epoch: 1)), reason: .fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)),
        Refusal(
            settings: ["mode": "manual"], cause: push(bringing: 0.5), refused: push(bringing: 0.25),
            reason: .otherHyperparameters(
                Hyperparameters(["learning_rate": 0.25]), ofRound: Hyperparameters(["learning_rate": 0.5]))),
        Refusal(settings: ["mode": "manual"], before: [push()], cause: close, refused: close, reason: .roundEmpty),
    ]

    private static func model(of log: HeldLog, _ settings: SettingValue, rate: SettingValue = 1) throws -> Model {
        try log.registry.make(["optimizer": "sgd", "learning_rate": rate, "consistency": settings], [("w", [0])])
    }

    /// The state of a model once it has handled what was sent before; it needs no log.
    private static func step(of model: Model) -> Int { model.inspected { $0.optimizer.step } }

    @Test("the client hears of it once the reason has been logged, and not before", arguments: cases)
    func logged(_ refusal: Refusal) throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, refusal.settings)
        for command in refusal.before { _ = try model.perform(command: command(model)) }
        let cause = log.hold(try refusal.cause(model), of: model)
        let refused = model.send(try refusal.refused(model))
        _ = Self.step(of: model)
        #expect(refused.current == nil, "it was told of what a kill can undo")
        log.open()
        _ = try cause.wait().get()
        #expect(throws: refusal.reason) { try refused.wait().get() }
    }

    @Test("the request is carried out if the reason could not be logged", arguments: cases)
    func failed(_ refusal: Refusal) throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, refusal.settings)
        for command in refusal.before { _ = try model.perform(command: command(model)) }
        let cause = log.hold(try refusal.cause(model), of: model, fails: true)
        let refused = model.send(try refusal.refused(model))
        _ = Self.step(of: model)
        #expect(refused.current == nil)
        log.open()
        guard case .failure(.storageFull) = cause.wait() else {
            Issue.record("the disk was not full: \(cause.wait())")
            return
        }
        _ = try refused.wait().get()
    }

    @Test("a late push counts once")
    func countedOnce() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, Self.late.settings)
        _ = try model.perform(command: Self.late.before[0](model))
        _ = log.hold(try Self.late.cause(model), of: model)
        let refused = model.send(try Self.late.refused(model))
        #expect(model.inspected { $0.latePushes } == 0)
        log.open()
        #expect(throws: Self.late.reason) { try refused.wait().get() }
        #expect(model.inspected { $0.latePushes } == 1)
    }

    @Test("a refusal waits for the records before it, and not for those after it")
    func stream() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, Self.stale.settings)
        let cause = log.hold(try Self.stale.cause(model), of: model)
        let refused = model.send(try Self.stale.refused(model))
        let later = model.send(try Self.push()(model))
        _ = Self.step(of: model)
        log.open(forOne: true)
        _ = try cause.wait().get()
        #expect(Self.step(of: model) == 1)
        log.waitForWrite()
        #expect(refused.current == .failure(Self.stale.reason))
        // What is refused for what has been logged, in addition to what is on its way, is refused at once.
        let again = model.send(try Self.stale.refused(model))
        _ = Self.step(of: model)
        #expect(again.current == .failure(Self.stale.reason) && later.current == nil)
    }

    @Test("while it waits, its retry waits too, and the next push of its worker does not; each counts once")
    func repeats() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, Self.stale.settings)
        let cause = log.hold(try Self.stale.cause(model), of: model)
        let push = try Self.keyed(model)
        let (refused, again) = (model.send(push), model.send(try Self.keyed(model)))
        let next = model.send(try Self.push(seq(2))(model))
        _ = Self.step(of: model)
        #expect(refused.current == nil && again.current == nil)
        log.open()
        _ = try cause.wait().get()
        for answer in [refused, again] { #expect(throws: Self.stale.reason) { try answer.wait().get() } }
        #expect(try next.wait().get().receipt?.gap == 1)
        #expect(Self.step(of: model) == 2)
    }

    @Test("if it is carried out after all, its retry is told to wait, and gets the same receipt afterwards")
    func carriedOutOnce() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, Self.stale.settings)
        _ = log.hold(try Self.stale.cause(model), of: model, fails: true)
        let (first, again) = (model.send(try Self.keyed(model)), model.send(try Self.keyed(model)))
        _ = Self.step(of: model)
        #expect(first.current == nil && again.current == nil)
        log.open()
        let outcome = try first.wait().get()
        #expect(again.wait() == .failure(.inFlight(key: "k")))
        let repeated = try model.perform(command: Self.keyed(model))
        #expect(repeated.isRepeated && repeated.receipt?.version == outcome.receipt?.version)
        #expect(Self.step(of: model) == 1)
    }

    /// A push with a number and a key.
    private static func keyed(_ model: Model) throws -> Command {
        try push(seq(1), at: 0)(model).under(RequestKey(text: "k", target: nil, time: 1_000_000_000))
    }

    @Test("a push that the journal refuses at once takes nothing from those before it")
    func refusedAtOnce() throws {
        let log = try HeldLog(mostJournal: 100_000)
        defer { log.end() }
        let model = try log.registry.make(
            ["optimizer": "sgd", "learning_rate": 1, "consistency": ["mode": "sync", "workers": 100]],
            [("w", Array(repeating: 0, count: 1000))])
        func push(_ worker: Int, _ number: Int) throws -> Command {
            .push(try model.makePush(["w": Array(repeating: 1, count: 1000)], seq(number, Name("\(worker)"))))
        }
        _ = log.hold(try push(0, 1), of: model)
        let refused = try (1..<100).map { worker in model.send(try push(worker, 1)) }
        _ = Self.step(of: model)
        let reasons = Set(refused.compactMap(\.current).map { "\($0)" })
        #expect(reasons.count == 1 && reasons.allSatisfy { $0.contains("journalBehind") }, "\(reasons)")
        // The first push is still on its way, so that a second one of its worker waits for it.
        let second = model.send(try push(0, 2))
        _ = Self.step(of: model)
        #expect(second.current == nil)
        log.open()
        #expect(throws: ServingError.self) { try second.wait().get() }
        let taken = refused.count { if case .success = $0.current { true } else { false } }
        #expect(model.inspected { $0.round.held.count } == taken + 1)
    }

    @Test("the end of the model answers what waits")
    func end() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.model(of: log, Self.stale.settings)
        _ = log.hold(try Self.stale.cause(model), of: model)
        let refused = model.send(try Self.stale.refused(model))
        model.end(.stopping)
        _ = Self.step(of: model)
        #expect(refused.current == .failure(.stopping))
    }

    @Test("a heartbeat hears of the end of its lease once that has been logged, and renews the lease if that fails")
    func heartbeat() throws {
        for fails in [false, true] {
            let log = try HeldLog()
            defer { log.end() }
            let model = try Self.model(of: log, ["mode": "async"])
            _ = try model.perform(command: .register(worker: "a", ttl: 1000))
            _ = Self.step(of: model)
            log.now.withLock { $0 = 1_000_000_000 }
            let due = model.inspected { state in
                var state = state
                return state.endOfLeases(at: Tick(uptime: 1_000_000_000, time: 1_000_000_000))
            }
            let ending = try #require(due)
            let cause = log.hold(ending, of: model, fails: fails)
            let answer = Future<Result<WorkerFacts, ServingError>>()
            model.renewLease(of: "a", epoch: 1) { answer.fulfil($0) }
            _ = Self.step(of: model)
            #expect(answer.current == nil)
            log.open()
            _ = cause.wait()
            if fails {
                #expect(try answer.wait().get().expiresIn == .seconds(1))
            } else {
                #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
                    try answer.wait().get()
                }
            }
        }
    }
}

extension Outcome {
    fileprivate var receipt: Receipt? { if case .receipt(let receipt) = answer { receipt } else { nil } }
}
