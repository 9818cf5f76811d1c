// The deletion of a model returns all of its memory, after every kind of command, some failures, and a restart.

import Glibc
import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Memory of deleted models")
struct DeletedMemoryTests {
    private static let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 3000)), ("v", [1, 2])]

    private static func key(_ text: String) -> RequestKey {
        RequestKey(text: Name(text), target: nil, body: .nothing, time: RequestKey.always)
    }

    /// Pushes of every kind: plain, of workers, under keys, by rows, and some that are refused.
    private static func push(to model: Model) throws {
        let ones = [Float](repeating: 1, count: 3000)
        for number in 1...20 {
            try model.push(["w": ones], seq(number, "worker"))
            _ = try? model.push(["v": [.nan, 1]], seq(number, "broken"))
            try model.push(["v": [1, 1]])
            _ = try? model.push(["w": ones], seq(5, "worker"), basedOn: .step(1_000_000))
            _ = try model.perform(
                command: .keyed(key("k-\(number)"), ifVersion: nil, .push(try model.makePush(["w": ones]))))
        }
        var push = try model.makePush(["v": [1, 1]])
        let rows = FloatBuffer(owed: 2)
        rows.fill(0.5)
        let place = model.layout.index(of: "w") ?? 0
        push.gradients.sparse[place] = SparseRows(indices: [7, 7], values: rows)
        push.memory = try model.pool.budget.reserve(24)
        _ = try? model.perform(command: .push(push))
    }

    private static func change(_ model: Model) throws {
        try model.load(["v": [3, 4]])
        _ = try? model.load(["v": [3, 4]], ifVersion: [1_000_000])
        for number in 0..<20 {
            try model.patch(["learning_rate": .numbers([Double](repeating: 0.25, count: 2000 + number))])
        }
        _ = try? model.patch(["learning_rate": "much"])
        _ = try model.register("registered")
        _ = try model.perform(command: .dismiss(worker: "registered"))
        _ = try? model.perform(command: .dismiss(worker: "unknown"))
        _ = try model.perform(command: .keyed(key("note"), ifVersion: nil, .note(.deleted)))
        let run = Future<Bool>()
        model.dryRun(Change.push(try model.makePush(["v": [1, 1]])), showingStages: true) {
            run.fulfil((try? $0.get()) != nil)
        }
        #expect(run.wait())
        let export = Future<Bool>()
        model.export { export.fulfil((try? $0.get()) != nil) }
        #expect(export.wait())
    }

    /// Makes two models and applies every kind of change to them.
    private static func use(_ registry: ModelRegistry, _ optimizer: String) throws {
        for name in ["m", "n"] {
            let settings: SettingValue = ["optimizer": .string(optimizer), "learning_rate": 0.25]
            let model = try registry.make(settings, values, name: name)
            try push(to: model)
            let saved = try registry.save(model)
            try change(model)
            try push(to: model)
            _ = try registry.restore(model, saved.id)
            _ = try registry.rollback(model, toStep: 3)
            try push(to: model)
        }
    }

    @Test("a registry that is closed has given everything back, with its models and whatever they hold")
    func closed() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(snapshotAllowance: 1 << 16)
        try Self.use(registry, "adam")
        registry.shutDown()
        registry.letGo()
        #expect(registry.budget.reserved == 0)
    }

    @Test("nothing stays reserved", arguments: ["sgd", "adam", "lamb"], [false, true])
    func nothing(optimizer: String, isReopened: Bool) throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(snapshotAllowance: 1 << 16)
        try Self.use(registry, optimizer)
        #expect(throws: ServingError.self) {
            try registry.make(["optimizer": "sgd", "learning_rate": 1e30], Self.values, name: "broken")
                .push(["v": [1e30, 1]])
        }
        if isReopened {
            registry.shutDown()
            registry = try directory.open(snapshotAllowance: 1 << 16)
        }
        #expect(registry.budget.reserved > 0)
        for name in ["m", "n", "broken"] { try registry.delete(name) }
        registry.waitForKeeper()
        // The events of all models stay, for readers that reconnect.
        let events = registry.events.keptBytes
        #expect(events < 1 << 20)
        for _ in 0..<60_000 where registry.budget.reserved != events { usleep(1000) }
        #expect(registry.budget.reserved == events)
        registry.shutDown()
    }
}
