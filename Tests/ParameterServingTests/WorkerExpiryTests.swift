// Workers beyond the limit: which worker is replaced, which answer a replaced worker gets when it returns, and that a
// replay of the log under other limits and another clock gives the same result.

import Names
import SimulatedMachine
import Testing
import Threading

@testable import ParameterServing

@Suite("Expiry of workers")
struct WorkerExpiryTests {
    private final class Time: Sendable {
        private let now = Locked(1000)
        func advance(by seconds: Int) { now.withLock { $0 += seconds } }
        var reading: @Sendable () -> Tick { { [now] in Tick(time: now.withLock { $0 }) } }
    }

    private static func configuration(_ time: Time, most: Int = 2, seconds: Int = 100) -> ServingConfiguration {
        var configuration = ServingConfiguration(memoryLimit: 1 << 30)
        configuration.clock = time.reading
        configuration.timers = Timers { 0 }
        configuration.mostWorkers = most
        configuration.workerLifetime = .seconds(seconds)
        return configuration
    }

    private static func open(
        _ directory: TemporaryDirectory, _ configuration: ServingConfiguration
    ) throws -> ModelRegistry {
        try ModelRegistry.open(directory.data(), configuration: configuration, catalogue: .builtin) { _ in }.0
    }

    private static func model(_ time: Time) throws -> (ModelRegistry, Model) {
        let registry = ModelRegistry(configuration: configuration(time), catalogue: .builtin)
        return (registry, try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])]))
    }

    @Test("the worker unseen for longest makes room, once it is old enough")
    func room() throws {
        let time = Time()
        let (registry, model) = try Self.model(time)
        defer { registry.shutDown() }
        try model.push(["w": [1]], seq(1, "a"))
        time.advance(by: 50)
        try model.push(["w": [1]], seq(1, "b"))
        time.advance(by: 49)
        try model.refuses(.tooManyWorkers(limit: 2, roomIn: 1)) { try model.push(["w": [1]], seq(1, "c")) }
        time.advance(by: 1)
        try model.push(["w": [1]], seq(1, "c"))
        #expect(try model.image().head.workers.keys.sorted() == ["b", "c"])
        try model.refuses(.tooManyWorkers(limit: 2, roomIn: 50)) { _ = try model.register("d") }
        time.advance(by: 50)
        // `b` was seen at 50, `c` at 100; a push makes `b` the more recent one.
        try model.push(["w": [1]], seq(2, "b"))
        time.advance(by: 50)
        #expect(try model.register("d") == 1)
        #expect(try model.image().head.workers.keys.sorted() == ["b", "d"])
    }

    @Test("a refusal says after how many seconds a worker may make room: by its age, or by the end of a lease")
    func roomIn() throws {
        let time = Time()
        let (registry, model) = try Self.model(time)
        defer { registry.shutDown() }
        for name in ["a", "b"] as [Name] { _ = try model.perform(Change.register(worker: name, ttl: .seconds(30))) }
        // The moment at which a lease of 30 s runs out is in the 31st second.
        try model.refuses(.tooManyWorkers(limit: 2, roomIn: 31)) { _ = try model.register("c") }
        _ = try model.register("a")
        time.advance(by: 90)
        try model.refuses(.tooManyWorkers(limit: 2, roomIn: 10)) { _ = try model.register("c") }
        time.advance(by: 4)
        // The table is not searched again, and yet the time is right.
        try model.refuses(.tooManyWorkers(limit: 2, roomIn: 6)) { try model.push(["w": [1]], seq(1, "c")) }
    }

    @Test("a worker that comes again is told what holds, and no number is applied twice")
    func comesAgain() throws {
        let time = Time()
        let (registry, model) = try Self.model(time)
        defer { registry.shutDown() }
        for number in 1...3 { try model.push(["w": [1]], seq(number, "a")) }
        #expect(try model.register("b") == 1)
        try model.push(["w": [1]], seq(1, "b", epoch: 1))
        time.advance(by: 100)
        for name in ["c", "d"] as [Name] { try model.push(["w": [1]], seq(1, name)) }
        time.advance(by: 100)
        for number in 1...3 {
            try model.refuses(.receiptForgotten(worker: "a", seq: number, oldest: nil, last: 3)) {
                try model.push(["w": [1]], seq(number, "a"))
            }
        }
        for number in 1...2 {
            try model.refuses(.fenced(worker: "b", epoch: 1, current: 1, hasEnded: true)) {
                try model.push(["w": [1]], seq(number, "b", epoch: 1))
            }
        }
        try model.refuses(.fenced(worker: "b", epoch: 0, current: 1, hasEnded: true)) {
            try model.push(["w": [1]], seq(2, "b"))
        }
        #expect(try model.push(["w": [1]], seq(4, "a")).gap == 0)
        #expect(try model.register("b") == 2)
    }

    @Test("one that is dismissed makes room at once; its numbers stay used", arguments: Place.allCases)
    func dismissed(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
            try model.push(["w": [1]], seq(5, "a"))
            try model.refuses(.unknownWorker("b")) { _ = try model.perform(command: .dismiss(worker: "b")) }
            _ = try model.perform(command: .dismiss(worker: "a"))
            try model.refuses(.unknownWorker("a")) { _ = try model.perform(command: .dismiss(worker: "a")) }
            try model.refuses(.receiptForgotten(worker: "a", seq: 5, oldest: nil, last: 5)) {
                try model.push(["w": [1]], seq(5, "a"))
            }
            #expect(try model.push(["w": [1]], seq(6, "a")).step == 2)
        }
    }

    @Test("a replay under other limits and another clock knows the same workers")
    func replay() throws {
        for seed in 1...4 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let (directory, time) = (try TemporaryDirectory(), Time())
            var registry = try Self.open(directory, Self.configuration(time, most: 3))
            var model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
            var applied = 0
            for _ in 0..<120 {
                time.advance(by: Int(random.next() % 60))
                let name = Name("w\(random.next() % 7)")
                let key = PushKey.sequence(
                    worker: name, epoch: model.epoch(of: name), seq: Int(random.next() % 9) + 1)
                switch random.next() % 8 {
                case 0: _ = try? model.register(name)
                case 1: _ = try? model.perform(command: .dismiss(worker: name))
                default: if let receipt = try? model.push(["w": [1]], key), !receipt.replayed { applied += 1 }
                }
            }
            let before = try model.image()
            registry.shutDown()
            registry = try Self.open(directory, Self.configuration(Time(), most: 1000, seconds: 1))
            model = try registry.model(named: "m")
            let after = try model.image()
            #expect(after.digest == before.digest && after.head.optimizer.step == applied)
            #expect(after.head.workers == before.head.workers && after.head.expired == before.head.expired)
            registry.shutDown()
        }
    }

    @Test("ages, expired workers and forgotten keys come back from an image; without them it is of format 2")
    func image() throws {
        let time = Time()
        let (registry, model) = try Self.model(time)
        defer { registry.shutDown() }
        #expect(try model.image().bytes[8] == 2)
        for name in ["a", "b", "c"] as [Name] {
            try model.push(["w": [1]], seq(1, name))
            time.advance(by: 100)
        }
        let image = try model.image()
        let head = try ImageSource.of(image.bytes).head().head
        #expect(image.bytes[8] == 6 && head.workers == image.head.workers && head.expired == image.head.expired)
        #expect(head.expired == ["a": WorkerLedger.Expired(epoch: 0, lastSeq: 1, lastSeen: 1000)])
    }

    @Test("workers of a directory of the first releases are as old as the daemon's run")
    func unknownAge() throws {
        var ledger = WorkerLedger(window: 4, mostWorkers: 1, lifetime: 100)
        ledger.restore(workers: ["a": WorkerLedger.Worker(lastSeq: 3)])
        #expect(ledger.roomMaker(for: "b", at: 5000) == nil)
        #expect(ledger.roomMaker(for: "b", at: 5099) == nil)
        #expect(ledger.roomMaker(for: "b", at: 5100) == "a")
    }

    @Test("a worker with a push in progress, or that is being replaced, is skipped")
    func busy() throws {
        var ledger = WorkerLedger(window: 4, mostWorkers: 2, lifetime: 100)
        for name in ["a", "b"] as [Name] { _ = ledger.register(name, seen: Sighting(time: 1)) }
        ledger.begin(seq(1, "a", epoch: 1), .nothing)
        #expect(ledger.roomMaker(for: "c", at: 200) == "b")
        ledger.reserveRoom(Sighting(time: 200, expires: "b"))
        #expect(ledger.roomMaker(for: "d", at: 200) == nil)
        ledger.leaveRoom(Sighting(time: 200, expires: "b"))
        #expect(ledger.roomMaker(for: "d", at: 200) == "b")
    }
}

extension Model {
    fileprivate func epoch(of worker: Name) -> Int { inspected { $0.ledger.epoch(of: worker) } }
}
