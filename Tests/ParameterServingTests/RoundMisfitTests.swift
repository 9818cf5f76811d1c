// A round that the settings refuse: a change that would cause it is refused; if a change and a push pass each other on
// the way to the log, the round is dropped at its deadline, and until then a request is told why it cannot be closed.

import Names
import Optimizers
import Testing

@testable import ParameterServing
@testable import Threading

@Suite("Rounds that the settings refuse")
struct RoundMisfitTests {
    /// A model, what the pushes of its round bring, and a change with which their update would be refused.
    struct Case: Sendable, CustomTestStringConvertible {
        let settings: SettingValue
        let brought: SettingValue?
        let patch: SettingValue
        /// A part of the reason.
        let words: String

        var testDescription: String { words }
    }

    static let rate = Case(
        settings: ["optimizer": "sgd", "learning_rate": 1, "groups": [["name": "g", "params": ["w"]]]],
        brought: ["learning_rate": 0.25], patch: ["groups": ["g": ["lr": 0.5]]],
        words: "`learning_rate` would have no effect")
    static let exhausted = Case(
        settings: ["optimizer": "sgd", "learning_rate": [1, 1], "step": 1], brought: nil, patch: ["learning_rate": [1]],
        words: "learningRateExhausted(group: \"default\", step: 1, length: 1)")
    static let cases = [
        rate, exhausted,
        Case(
            settings: ["optimizer": ["type": "sgd", "framework": "torch", "momentum": 0.5], "learning_rate": 1],
            brought: ["nesterov": true], patch: ["optimizer": ["momentum": 0]], words: "`nesterov` needs a momentum"),
        Case(
            settings: ["optimizer": "sgd", "learning_rate": 1, "groups": [["name": "g", "params": ["w"]]]],
            brought: ["weight_decay": 0.5], patch: ["groups": ["g": ["weight_decay": 0.25]]],
            words: "`weight_decay` would have no effect"),
    ]
    static let manual: SettingValue = ["mode": "manual"]
    /// One push is enough at the deadline.
    static let quorum: SettingValue = ["mode": "sync", "workers": 2, "min_pushes": 1]
    private static let now = Tick(uptime: 0, time: 1000)

    /// A model, with the commands that have been decided and not applied.
    private struct Bench {
        var state: ModelState
        private var underWay: [Command] = []
        /// What has been applied.
        private(set) var journal: [Command] = []

        init(_ settings: SettingValue, _ consistency: SettingValue) throws {
            let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 24, threads: 0), .builtin)
            let definition = ModelDefinition.of(settings.setting("consistency", to: consistency), [("w", [0, 0])])
            state = try assembly.assemble("m", ModelUID(number: 7), .definition(definition))
            state.begin(at: 1)
        }

        mutating func decide(_ command: Command) throws {
            if let command = try state.proceed(with: command, at: now) { underWay.append(command) }
        }

        /// Applies the oldest command in progress, for a request with the ticket of its position.
        @discardableResult
        mutating func apply() -> [Effect] {
            let command = underWay.removeFirst()
            journal.append(command)
            return state.apply(command, at: state.position, for: Ticket(number: state.position))
        }

        @discardableResult
        mutating func perform(_ command: Command) throws -> [Effect] {
            try decide(command)
            return apply()
        }

        func push(_ brought: SettingValue?) throws -> Command {
            var push = try state.makePush(["w": [1, 2]], seq(1), basedOn: .step(state.optimizer.step))
            push.hyperparameters = brought.map { Hyperparameters($0) }
            return .push(push)
        }

        /// A round whose push has been decided before the change, and applied after it.
        mutating func pass(_ one: Case) throws {
            try decide(patch(one.patch))
            try decide(push(one.brought))
            for _ in 1...2 { apply() }
            #expect(state.round.held.count == 1)
        }

        /// What the deadline of the open round proposes, decided and applied.
        mutating func ring() throws -> [Effect] {
            try perform(.closeRound(try #require(state.closingAtDeadline(of: state.round.number))))
        }

        func outcome() throws -> RoundReceipt.State? {
            guard case .applied(let receipt, _) = try state.ledger.findLogged(seq(1)) else { return nil }
            return receipt.round?.state
        }
    }

    private static func patch(_ settings: SettingValue) -> Command {
        .reconfigure(SettingsPatch(patch: settings), ifVersion: nil)
    }

    private static let step = Command.closeRound(RoundClosing(action: .update))

    /// The refusal of a command for the open round.
    private static func misfit(_ body: () throws -> Void) throws -> RoundMisfit {
        do { try body() } catch let error as ServingError {
            if case .roundMisfit(let misfit) = error { return misfit }
            throw error
        } catch let error as Deferred {
            if case .roundMisfit(let misfit) = error.reason { return misfit }
            throw error
        }
        throw ServingError.roundEmpty
    }

    private static func rounds(_ effects: [Effect]) -> [String] {
        effects.compactMap {
            if case .event(.round(let settled), _, _) = $0 { "\(settled.outcome) \(settled.reason)" } else { nil }
        }
    }

    @Test(
        "a change is refused while the round would not fit it, and accepted once the round is closed", arguments: cases)
    func refused(_ one: Case) throws {
        var bench = try Bench(one.settings, Self.manual)
        let first = bench.state.optimizer.step
        try bench.perform(bench.push(one.brought))
        let misfit = try Self.misfit { try bench.decide(Self.patch(one.patch)) }
        #expect(misfit.request == .change && misfit.step == first + 1 && misfit.received == 1)
        #expect(misfit.brought?.setting == one.brought && !misfit.hasDeadline)
        let cause = try #require(misfit.cause.refusal)
        #expect(ServingError(cause).reason.contains(one.words))
        try bench.perform(Self.step)
        #expect(bench.state.optimizer.step == first + 1)
        try bench.perform(Self.patch(one.patch))
        #expect(bench.state.version == 3)
    }

    @Test("a change that the round fits is accepted")
    func fits() throws {
        var bench = try Bench(Self.rate.settings, Self.quorum)
        try bench.perform(bench.push(Self.rate.brought))
        try bench.perform(Self.patch(["groups": ["g": ["weight_decay": 0.5]]]))
        try bench.perform(Self.patch(["learning_rate": 0.5]))
        #expect(bench.state.version == 3 && bench.state.round.held.count == 1)
    }

    @Test("a push on its way to the log counts, and so does a closing: the refusal waits for them")
    func forecast() throws {
        var bench = try Bench(Self.rate.settings, Self.quorum)
        try bench.decide(bench.push(Self.rate.brought))
        let change = Self.patch(Self.rate.patch)
        #expect(throws: Deferred.self) { try bench.decide(change) }
        let misfit = try Self.misfit { try bench.decide(change) }
        #expect(misfit.received == 1 && misfit.hasDeadline)
        bench.apply()
        #expect(throws: ServingError.roundMisfit(misfit)) { try bench.decide(change) }
        try bench.decide(Self.step)
        try bench.decide(change)
        for _ in 1...2 { bench.apply() }
        #expect(bench.state.optimizer.step == 1 && bench.state.version == 3)
    }

    @Test(
        "a push that is accepted while the change is on its way to the log is dropped at the deadline", arguments: cases
    )
    func passed(_ one: Case) throws {
        var bench = try Bench(one.settings, Self.quorum)
        let first = bench.state.optimizer.step
        try bench.pass(one)
        let effects = try bench.ring()
        #expect(Self.rounds(effects) == ["dropped refused"])
        #expect(try bench.outcome() == .dropped(.refused))
        // The holder of the push hears of it, and its ticket is the position of its record.
        let told = effects.compactMap { effect -> RoundReceipt.State? in
            guard case .settle(Ticket(number: 3), .success(let outcome)) = effect,
                case .receipt(let receipt) = outcome.answer
            else { return nil }
            return receipt.round?.state
        }
        #expect(told == [.dropped(.refused)])
        #expect(
            effects.contains(.reply(Ticket(number: 4), .success(Outcome(answer: .changed(step: first, version: 2))))))
        #expect(bench.state.round.isEmpty && bench.state.forecast.count == 0 && bench.state.optimizer.step == first)
    }

    @Test(
        "a request to close such a round says why it cannot be closed, and changes nothing",
        arguments: [cases[0], cases[2]])
    func closing(_ one: Case) throws {
        var bench = try Bench(one.settings, Self.quorum)
        try bench.pass(one)
        let misfit = try Self.misfit { try bench.decide(Self.step) }
        #expect(misfit.request == .closing && misfit.hasDeadline && misfit.received == 1)
        #expect(bench.state.round.held.count == 1 && bench.state.forecast.count == 0)
    }

    /// Rows of `b`, which pass a move of `b` to a group that takes no rows.
    @Test("a push that would complete such a round is refused too, unless it makes the gradient dense")
    func completing() throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 24, threads: 0), .builtin)
        let groups: SettingValue = [
            ["name": "x", "params": ["a"], "optimizer": "sgd"], ["name": "y", "params": ["*"]],
        ]
        let settings: SettingValue = ["optimizer": "lazyadam", "learning_rate": 1, "groups": groups]
        let definition = ModelDefinition.of(
            settings.setting("consistency", to: ["mode": "sync", "workers": 2]), [("a", [0]), ("b", [0]), ("c", [0])])
        for (name, isRefused) in [("c", true), ("b", false)] as [(Name, Bool)] {
            var state = try assembly.assemble("m", ModelUID(number: 7), .definition(definition))
            state.begin(at: 1)
            var rows = try state.makePush([:], PushKey(worker: "a", epoch: 0, seq: 1), basedOn: .step(0))
            let values = try FloatBuffer(count: 1)
            values.fill(1)
            rows.gradients.sparse[try #require(state.layout.index(of: "b"))] = SparseRows(indices: [0], values: values)
            let move = Self.patch(["parameters": ["b": ["group": "x"]]])
            let commands = try [move, .push(rows)].map { try #require(try state.proceed(with: $0, at: Self.now)) }
            for command in commands { _ = state.apply(command, at: state.position, for: nil) }
            #expect(state.round.held.count == 1)
            let last = try state.makePush([name: [1]], PushKey(worker: "b", epoch: 0, seq: 1), basedOn: .step(0))
            if isRefused {
                #expect(try Self.misfit { _ = try state.proceed(with: .push(last), at: Self.now) }.request == .closing)
            } else {
                let command = try #require(try state.proceed(with: .push(last), at: Self.now))
                _ = state.apply(command, at: state.position, for: nil)
                #expect(state.optimizer.step == 1)
            }
        }
    }

    @Test("in mode manual, the settings can be changed back, or another mode drops the round")
    func ways() throws {
        for isBack in [true, false] {
            var bench = try Bench(Self.rate.settings, Self.manual)
            try bench.pass(Self.rate)
            #expect(try Self.misfit { try bench.decide(Self.step) }.hasDeadline == false)
            if isBack {
                try bench.perform(Self.patch(["groups": ["g": ["lr": .null]]]))
                try bench.perform(Self.step)
                #expect(try bench.outcome() == .closed)
                #expect(Array(bench.state.arena.buffer[0..<2]) == [-0.25, -0.5])
            } else {
                let effects = try bench.perform(Self.patch(["consistency": ["mode": "async"]]))
                #expect(Self.rounds(effects) == ["dropped refused"])
                #expect(try bench.outcome() == .dropped(.refused))
            }
        }
    }

    @Test("a round without a quorum is dropped at its deadline even if it would be extended: no push can join it")
    func extended() throws {
        let extend: SettingValue = ["mode": "sync", "workers": 2, "on_timeout": "extend"]
        var bench = try Bench(Self.rate.settings, extend)
        try bench.perform(bench.push(Self.rate.brought))
        #expect(bench.state.closingAtDeadline(of: 0) == nil)
        bench = try Bench(Self.rate.settings, extend)
        try bench.pass(Self.rate)
        #expect(Self.rounds(try bench.ring()) == ["dropped refused"])
        bench = try Bench(Self.rate.settings, ["mode": "sync", "workers": 2])
        try bench.pass(Self.rate)
        #expect(Self.rounds(try bench.ring()) == ["dropped deadline"])
    }

    @Test("what the deadline does depends on the state when it is applied: the settings may have been changed back")
    func changedBack() throws {
        var bench = try Bench(Self.rate.settings, Self.quorum)
        try bench.pass(Self.rate)
        try bench.decide(Self.patch(["groups": ["g": ["lr": .null]]]))
        try bench.decide(.closeRound(try #require(bench.state.closingAtDeadline(of: 0))))
        for _ in 1...2 { bench.apply() }
        #expect(try bench.outcome() == .closed && bench.state.optimizer.step == 1)
    }

    @Test("a replay of the records gives the same image", arguments: cases)
    func replay(_ one: Case) throws {
        var bench = try Bench(one.settings, Self.quorum)
        try bench.pass(one)
        _ = try bench.ring()
        var again = try Bench(one.settings, Self.quorum)
        for command in bench.journal { _ = again.state.apply(command, at: again.state.position) }
        #expect(again.state.view.headBytes == bench.state.view.headBytes)
    }

    @Test("a live model drops such a round at its deadline")
    func live() throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.live(log)
        let change = log.hold(Self.patch(Self.rate.patch), of: model)
        let held = model.send(try Self.push(to: model))
        _ = model.inspected { $0.version }
        log.open()
        _ = try change.wait().get()
        _ = try held.wait().get()
        #expect(throws: ServingError.self) { try model.perform(command: Self.step) }
        log.now.withLock { $0 = 1_000_000_000 }
        model.post(.deadline)
        // Its record is after that of the deadline.
        _ = try model.perform(command: Self.patch(["learning_rate": 0.5]))
        let left = model.inspected { ($0.round.held.count, $0.optimizer.step) }
        #expect(left == (0, 0))
    }

    @Test(
        "the refusal of a change waits for the push that causes it, and the change is made if that fails",
        arguments: [false, true])
    func waits(_ fails: Bool) throws {
        let log = try HeldLog()
        defer { log.end() }
        let model = try Self.live(log)
        _ = log.hold(try Self.push(to: model), of: model, fails: fails)
        let change = model.send(Self.patch(Self.rate.patch))
        #expect(model.inspected { $0.version } == 1 && change.current == nil)
        log.open()
        if fails {
            #expect(try change.wait().get().answer == .changed(step: 0, version: 2))
        } else {
            #expect(try Self.misfit { _ = try change.wait().get() }.received == 1)
        }
    }

    private static func live(_ log: HeldLog) throws -> Model {
        let settings = rate.settings.setting("consistency", to: quorum.setting("round_timeout", to: "1s"))
        return try log.registry.make(settings, [("w", [0])])
    }

    private static func push(to model: Model) throws -> Command {
        var push = try model.makePush(["w": [1]], seq(1))
        push.hyperparameters = rate.brought.map { Hyperparameters($0) }
        return .push(push)
    }
}

extension RoundMisfit.Cause {
    fileprivate var refusal: OptimizerError? { if case .refusal(let error) = self { error } else { nil } }
}
