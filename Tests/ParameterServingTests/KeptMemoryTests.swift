// Data other than tensors is counted: at least as much as it takes, refused before it is logged, and returned with the
// model. The least size of an entry follows from the sizes of its members, not from the code under test.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Memory of what is kept")
struct KeptMemoryTests {
    /// A receipt's step, version, staleness, norm, gap and number, and its fingerprint of 16 bytes.
    private static let leastReceipt = 8 * 8

    private static let plain: [(Name, [Float])] = [("w", [0])]

    /// `count` groups of one parameter each, with rates that change at every step or never.
    private static func groups(_ count: Int, decaying: Bool) -> (SettingValue, [(Name, [Float])]) {
        let names = (0..<count).map { Name("p\($0)") }
        let schedule: SettingValue = [
            "schedule": "ExponentialDecayLR", "learning_rate": 0.5, "decay_rate": 0.99, "decay_steps": 1,
        ]
        let groups = names.map { name in
            SettingValue.object([.init(key: "params", value: .array([.string(name.text)]))])
        }
        let settings = SettingValue.object([
            .init(key: "optimizer", value: "sgd"), .init(key: "learning_rate", value: decaying ? schedule : 0.5),
            .init(key: "groups", value: .array(groups)),
        ])
        return (settings, names.map { ($0, [0]) })
    }

    /// The memory reserved by `body`, measured when the executor is idle.
    private static func growth(_ model: Model, of budget: MemoryBudget, _ body: () throws -> Void) throws -> Int {
        let before = budget.reserved
        try body()
        try settle(model)
        return budget.reserved - before
    }

    private static func settle(_ model: Model) throws {
        let done = Future<Void>()
        model.inspect { _ in done.fulfil(()) }
        done.wait()
    }

    private static func key(_ text: String, _ body: UInt64 = 0) -> RequestKey {
        RequestKey(text: Name(text), target: nil, body: Fingerprint(high: body, low: 0), time: RequestKey.always)
    }

    @Test("receipts and workers, now and after a start", arguments: [false, true])
    func receipts(isReplayed: Bool) throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        var model = try registry.make(["optimizer": "sgd"], Self.plain)
        try model.push(["w": [0]])
        let (workers, each) = (50, 20)
        let least = workers * each * Self.leastReceipt
        var grown = try Self.growth(model, of: registry.budget) {
            for worker in 0..<workers {
                for number in 1...each { try model.push(["w": [0]], seq(number, Name("worker \(worker)"))) }
            }
        }
        #expect(grown >= least && grown <= 16 * least)
        if isReplayed {
            registry.shutDown()
            registry = try directory.open()
            model = try registry.model(named: "m")
            model.pool.releaseFree()
            grown = registry.budget.reserved
            #expect(grown >= least)
        }
        try registry.delete("m")
        model = try registry.make(["optimizer": "sgd"], Self.plain, name: "other")
        try registry.delete("other")
        registry.shutDown()
    }

    @Test("lists of rates: each once, however many receipts have it", arguments: Place.allCases)
    func rates(place: Place) throws {
        let (count, pushes) = (100, 200)
        // An optional float takes 8 bytes.
        let lists = pushes * count * 8
        var grown: [Bool: Int] = [:]
        for decaying in [true, false] {
            try place.withRegistry { registry in
                let (settings, values) = Self.groups(count, decaying: decaying)
                let model = try registry.make(settings, values)
                try model.push(["p0": [0]])
                grown[decaying] = try Self.growth(model, of: registry.budget) {
                    for number in 1...pushes { try model.push(["p0": [0]], seq(number)) }
                }
            }
        }
        let (many, one) = (try #require(grown[true]), try #require(grown[false]))
        #expect(many >= lists && one < lists && many - one >= lists - count * 8)
    }

    @Test("lists of rates that a start has read")
    func ratesRead() throws {
        let directory = try TemporaryDirectory()
        let (settings, values) = Self.groups(100, decaying: true)
        var registry = try directory.open(snapshotAllowance: 1)
        let model = try registry.make(settings, values)
        for number in 1...200 {
            try model.push(["p0": [0]], seq(number))
            if number % 50 == 0 { registry.waitForKeeper() }
        }
        registry.waitForKeeper()
        #expect(!directory.files("snapshots").isEmpty)
        registry.shutDown()
        registry = try directory.open(snapshotAllowance: 1)
        #expect(registry.budget.reserved >= 200 * 100 * 8)
        registry.shutDown()
    }

    @Test("an image has each list of rates once, and gives them back")
    func imageOfRates() throws {
        try Place.memory.withRegistry { registry in
            let (settings, values) = Self.groups(1000, decaying: false)
            let model = try registry.make(settings, values)
            for number in 1...50 { try model.push(["p0": [0]], seq(number)) }
            let key = Self.key("k")
            _ = try model.perform(command: .keyed(key, ifVersion: nil, .push(try model.makePush(["p0": [0]]))))
            let image = try model.image()
            // 50 lists of 1000 rates, of 5 bytes each, would be 250,000.
            #expect(image.headBytes.count < 150_000)
            let (head, floats) = try ImageSource.of(image.bytes).head()
            #expect(floats % 8 == 0 && floats == image.headBytes.count)
            #expect(head.workers == image.head.workers && head.keys.map(\.answer) == image.head.keys.map(\.answer))
            let places = head.workers["a"]?.entries.map { entry in
                entry.receipt.learningRates.withUnsafeBytes { $0.baseAddress }
            }
            #expect(places?.count == 50 && Set(places ?? []).count == 1)
        }
    }

    @Test("answers under keys, and keys whose answers are gone")
    func keys() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd"], Self.plain)
            try model.push(["w": [0]])
            let long = String(repeating: "k", count: 100)
            var push = try model.makePush(["w": [0]])
            push.fingerprint = .nothing
            let answered = try Self.growth(model, of: registry.budget) {
                for number in 0..<200 {
                    _ = try model.perform(command: .keyed(Self.key("\(long)-\(number)"), ifVersion: nil, .push(push)))
                }
            }
            #expect(answered >= 200 * (100 + Self.leastReceipt))
            // The window of a client has 256 answers: from here on keys are forgotten.
            let forgotten = try Self.growth(model, of: registry.budget) {
                for number in 200..<4256 {
                    _ = try model.perform(command: .keyed(Self.key("\(long)-\(number)"), ifVersion: nil, .push(push)))
                }
            }
            #expect(forgotten >= 4000 * 24)
        }
    }

    @Test("workers that have expired, and turns of the history")
    func expired() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd"], Self.plain)
            let expired = try Self.growth(model, of: registry.budget) {
                for number in 0..<1000 {
                    let name = Name("a worker with a name that is longer than others \(number)")
                    _ = try model.register(name)
                    _ = try model.perform(command: .dismiss(worker: name))
                }
            }
            #expect(expired >= 1000 * (50 + 24))
            let turned = try Self.growth(model, of: registry.budget) {
                for number in 0..<500 { try model.patch(["learning_rate": .number(Double(number + 1))]) }
            }
            #expect(turned >= 500 * 24)
        }
    }

    @Test("names of parameters: with the model, and with each version whose plan a reader holds")
    func plans() throws {
        try Place.memory.withRegistry { registry in
            let values = (0..<1000).map { (Name("a.layer.with.a.long.name.\($0).weight"), [Float(0)]) }
            let before = registry.budget.reserved
            let model = try registry.make(["optimizer": "sgd"], values)
            // The name, twice in tables, its shape and its range.
            let least = 1000 * (3 * 32 + 32)
            #expect(registry.budget.reserved - before >= least)
            var held: [PublishedVersion] = []
            let grown = try Self.growth(model, of: registry.budget) {
                for number in 1...20 {
                    try model.patch(["learning_rate": .number(Double(number))])
                    held.append(model.publication.current)
                }
            }
            #expect(grown >= 20 * least)
            withExtendedLifetime(held) {}
        }
    }

    @Test("a worker that there is no room for is refused before the log, and accepted when there is room again")
    func refused() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(memoryLimit: 1 << 20)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd"], Self.plain)
        for number in 1...3 { try model.push(["w": [0]], seq(number)) }
        try Self.settle(model)
        let rest = try registry.budget.reserve(registry.budget.limit - registry.budget.reserved - 8192)
        var pushed = 0
        let error = #expect(throws: ServingError.self) {
            for number in 0..<1000 {
                try model.push(["w": [0]], seq(1, Name("worker \(number)")))
                pushed += 1
            }
        }
        guard case .outOfMemory = error else { throw error ?? .stopping }
        // Receipts of 64 bytes and more take at most two pages.
        #expect(pushed < 2 * 4096 / Self.leastReceipt)
        #expect(registry.budget.reserved <= registry.budget.limit)
        #expect(model.publication.current.step == 3 + pushed)
        rest.shrink(to: 0)
        #expect(model.inspected { $0.ledger.inFlight.isEmpty })
        try model.push(["w": [0]], seq(1, Name("worker \(pushed)")))
        #expect(model.publication.current.step == 4 + pushed)
    }

    @Test("copies of slots that an update makes are counted before they are made")
    func keptSlots() throws {
        // A rule without a known bound copies the slots for each update; 10,000 floats are 40,000 bytes, as much as one
        // slot of Lamb.
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 10_000))]
        try Place.memory.withRegistry(memoryLimit: 400_000) { registry in
            let model = try registry.make(["optimizer": "lamb", "learning_rate": 0.5], values)
            try model.push(["w": values[0].1])
            try Self.settle(model)
            model.pool.releaseFree()
            let held = registry.budget.reserved
            // Room for the gradient and the next version, but not for 80,000 bytes more.
            let rest = try registry.budget.reserve(registry.budget.limit - held - 2 * 40_000 - 60_000)
            #expect(throws: ServingError.self) { try model.push(["w": values[0].1]) }
            #expect(model.publication.current.step == 1)
            rest.shrink(to: rest.bytes - 30_000)
            try model.push(["w": values[0].1])
            #expect(model.publication.current.step == 2)
        }
    }

    @Test("a bounded rule takes its first push without a copy of its slots")
    func firstPush() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 10_000))]
        // Slots, three times the values, and the plan.
        try Place.memory.withRegistry(memoryLimit: 5 * 40_000 + 8192) { registry in
            let model = try registry.make(["optimizer": "adam"], values)
            for _ in 0..<3 { try model.push(["w": values[0].1]) }
            #expect(model.publication.current.step == 3 && registry.budget.reserved <= registry.budget.limit)
        }
    }
}
