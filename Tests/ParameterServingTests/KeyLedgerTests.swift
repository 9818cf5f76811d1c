// Requests with a key: what the ledger remembers, and that repeating any of them, across restarts, changes nothing.

import Names
import Optimizers
import SimulatedMachine
import Testing

@testable import ParameterServing

@Suite("Idempotency keys")
struct KeyLedgerTests {
    private static func ledger(most: Int = 4, seconds: Int = 60) -> KeyLedger {
        var configuration = ServingConfiguration(memoryLimit: 0)
        configuration.requestKeys = most
        configuration.keyLifetime = .seconds(seconds)
        return KeyLedger(configuration)
    }

    private static func key(_ text: Name, _ body: UInt64 = 1, target: UInt64 = 1, time: Int = 0) -> RequestKey {
        RequestKey(
            text: text, target: Fingerprint(high: target, low: 0), body: Fingerprint(high: body, low: 0), time: time)
    }

    @Test("the same request gets its answer, another body or another target is refused")
    func same() throws {
        var ledger = Self.ledger()
        #expect(try ledger.find(Self.key("a")) == nil)
        ledger.finish(Self.key("a"), .deleted)
        #expect(try ledger.find(Self.key("a", time: 60)) == .deleted)
        for other in [Self.key("a", 2), Self.key("a", target: 2)] {
            #expect(throws: ServingError.keyReused(key: "a")) { try ledger.find(other) }
        }
    }

    @Test("a push of the first release is known by its gradients, whatever the query of its retry")
    func withoutTarget() throws {
        var ledger = Self.ledger()
        let old = RequestKey(text: "a", target: nil, body: Fingerprint(high: 1, low: 0), time: RequestKey.always)
        ledger.finish(old, .deleted)
        #expect(try ledger.find(Self.key("a", target: 9, time: 1 << 40)) == .deleted)
    }

    @Test("in flight: the same request is told to wait, another one is refused, after an end it is new")
    func inFlight() throws {
        var ledger = Self.ledger()
        ledger.begin(Self.key("a"))
        #expect(throws: ServingError.inFlight(key: "a")) { try ledger.find(Self.key("a")) }
        #expect(throws: ServingError.keyReused(key: "a")) { try ledger.find(Self.key("a", 2)) }
        ledger.abandon(Self.key("a"))
        #expect(try ledger.find(Self.key("a", 2)) == nil)
    }

    @Test("answers go by number, by age and by bytes, the oldest first")
    func bounds() throws {
        var ledger = Self.ledger(most: 2)
        for text in ["a", "b", "c"] as [Name] { ledger.finish(Self.key(text), .deleted) }
        #expect(ledger.entries.map(\.key.text) == ["b", "c"])
        #expect(try ledger.find(Self.key("b", 2, time: 61)) == nil)
        ledger.finish(Self.key("b", 2, time: 61), .deleted)
        #expect(ledger.entries.map(\.key.text) == ["c", "b"])

        var large = Self.ledger(most: 1 << 20)
        let receipt = Receipt(
            applied: true, step: 1, version: 2, learningRates: Array(repeating: 1, count: 10_000), staleness: 0,
            gradientNorm: 1, updateRatio: nil, overflow: false, nextLossScale: nil, gap: 0)
        for number in 0..<100 { large.finish(Self.key(Name("k\(number)")), .receipt(receipt)) }
        // 13 answers fit into 2^20 bytes: 8 bytes for each rate, and some for the rest.
        #expect(large.entries.map(\.key.text) == (87..<100).map { Name("k\($0)") })
    }

    @Test("every kind of answer comes back from disk")
    func binary() throws {
        let facts = CheckpointFacts(id: 7, step: 1, version: 2, created: 3, bytes: 4)
        let answers: [StoredAnswer] = [
            .changed(step: 1, version: 2), .registered(epoch: 3, lastSeq: 4), .saved(facts), .removed(facts),
            .created(ModelUID(number: 5), step: 6), .deleted,
        ]
        let entries = answers.enumerated().map { KeyLedger.Entry(key: Self.key(Name("k\($0)")), answer: $1) }
        var writer = ByteWriter()
        writer.write(entries)
        let bytes = writer.bytes
        try bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            let copy = try reader.readKeys()
            #expect(copy.map(\.key) == entries.map(\.key) && copy.map(\.answer) == answers)
            #expect(reader.bytesLeft == 0)
        }
    }

    @Test("requests that arrive one to three times, with restarts between, give the same result as each of them once")
    func property() throws {
        for seed in 1...8 as ClosedRange<UInt64> {
            var random = SeededGenerator(seed: seed)
            let directory = try TemporaryDirectory()
            var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
            let settings: SettingValue = [
                "optimizer": ["type": "momentum", "momentum": 0.5], "learning_rate": [0.5, 0.25], "past_end": "hold",
            ]
            var model = try registry.make(settings, [("w", [1, 2])])
            let once = try registry.make(settings, [("w", [1, 2])], name: "once")
            var reference = once
            for number in 0..<40 {
                let choice = Int(random.next() % 4)
                let command = try Self.command(choice, number, model)
                let first = Self.answer(
                    try model.perform(command: command.under(Self.key(Name("k\(number)"), UInt64(choice)))))
                _ = try reference.perform(command: try Self.command(choice, number, reference))
                for _ in 0..<(random.next() % 3) {
                    if random.next() % 4 == 0 {
                        registry.shutDown()
                        registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
                        (model, reference) = (try registry.model(named: "m"), try registry.model(named: "once"))
                    }
                    let again = try Self.command(choice, number, model).under(
                        Self.key(Name("k\(number)"), UInt64(choice)))
                    let stored = try model.perform(command: again)
                    #expect(stored.isRepeated, "seed \(seed), request \(number) was carried out twice")
                    let told = [stored.answer, first].map { Outcome.again($0, isDurable: false) }
                    #expect(told[0] == told[1])
                }
            }
            #expect(model.values() == reference.values())
            #expect(model.publication.current.version == reference.publication.current.version)
            #expect(model.publication.current.facts.settings == reference.publication.current.facts.settings)
            registry.shutDown()
        }
    }

    private static func command(_ choice: Int, _ number: Int, _ model: Model) throws -> Command {
        switch choice {
        case 0: return .push(try model.makePush(["w": [Float(number), 1]]))
        case 1:
            return .reconfigure(SettingsPatch(group: nil, patch: ["learning_rate": ["append": [0.5]]]), ifVersion: nil)
        case 2:
            let push = try model.makePush(["w": [1, Float(number)]])
            return .importValues(push.arena, present: push.gradients.isDense)
        default: return .register(worker: "a")
        }
    }

    private static func answer(_ outcome: Outcome) -> StoredAnswer {
        outcome.noting(isDurable: false, woken: 0).answer
    }
}
