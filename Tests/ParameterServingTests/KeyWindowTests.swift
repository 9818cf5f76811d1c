// Windows of keys: each client has its own, and a key that has left it is refused and never executed again.

import Names
import Testing

@testable import ParameterServing

@Suite("Windows of keys")
struct KeyWindowTests {
    private static func ledger(most: Int = 4, seconds: Int = 60) -> KeyLedger {
        var configuration = ServingConfiguration(memoryLimit: 0)
        configuration.requestKeys = most
        configuration.keyLifetime = .seconds(seconds)
        return KeyLedger(configuration)
    }

    private static func key(_ text: String, time: Int = 0) -> RequestKey {
        RequestKey(text: Name(text), target: nil, body: .nothing, time: time)
    }

    @Test("one client's keys do not push out another's")
    func clients() throws {
        var ledger = Self.ledger()
        ledger.finish(Self.key("w1-1"), .deleted)
        for number in 1...100 { ledger.finish(Self.key("w2-\(number)"), .deleted) }
        #expect(try ledger.find(Self.key("w1-1")) == .deleted)
        #expect(ledger.entries.map(\.key.text.text) == ["w1-1", "w2-97", "w2-98", "w2-99", "w2-100"])
    }

    @Test("a key beyond its window is refused until its lifetime ends")
    func forgotten() throws {
        var ledger = Self.ledger(most: 16)
        for number in 1...17 { ledger.finish(Self.key("w-\(number)"), .deleted) }
        #expect(throws: ServingError.keyForgotten(key: "w-1")) { try ledger.find(Self.key("w-1", time: 60)) }
        #expect(try ledger.find(Self.key("w-1", time: 61)) == nil)
        #expect(try ledger.find(Self.key("w-18")) == nil)
        #expect(try ledger.find(Self.key("w-2", time: 60)) == .deleted)
    }

    @Test("what all answers take is bounded, and a model with more than a share pays")
    func bytes() throws {
        var ledger = Self.ledger(most: 1 << 20)
        let receipt = Receipt(
            applied: true, step: 1, version: 2, learningRates: Array(repeating: 1, count: 1000), staleness: 0,
            gradientNorm: 1, updateRatio: nil, overflow: false, nextLossScale: nil, gap: 0)
        for number in 0..<4 { ledger.finish(Self.key("modest-\(number)"), .receipt(receipt)) }
        for number in 0..<1000 { ledger.finish(Self.key("greedy-\(number)"), .receipt(receipt)) }
        let clients = ledger.entries.map(\.key.client.text)
        #expect(clients.count { $0 == "modest-" } == 4)
        // 2^20 bytes hold 126 receipts of 8 bytes a rate and 264 or so for the rest.
        #expect((100...130).contains(clients.count))
        for number in 0..<4 { #expect(try ledger.find(Self.key("modest-\(number)")) != nil) }
    }

    @Test("an answer that replaces another one counts its own size, and nothing is left of it when it is dropped")
    func replaced() throws {
        func receipt(_ rates: Int) -> StoredAnswer {
            .receipt(
                Receipt(
                    applied: true, step: 1, version: 2, learningRates: Array(repeating: 1, count: rates), staleness: 0,
                    gradientNorm: 1, updateRatio: nil, overflow: false, nextLossScale: nil, gap: 0))
        }
        var (replacing, direct) = (Self.ledger(most: 1), Self.ledger(most: 1))
        for number in 0..<3 {
            replacing.finish(Self.key("w-\(number)"), receipt(0))
            replacing.replace(Self.key("w-\(number)"), with: receipt(1000))
            direct.finish(Self.key("w-\(number)"), receipt(1000))
            #expect(replacing.bytes == direct.bytes)
        }
    }

    @Test("keys without a count at their end take nothing from themselves, nor from a client that counts")
    func random() throws {
        var ledger = Self.ledger(most: 256)
        for number in 0..<8000 {
            ledger.finish(Self.key("550e8400-e29b-\(number)-a716-446655440000"), .deleted)
            if number % 100 == 0 { ledger.finish(Self.key("job-\(number)"), .deleted) }
            #expect(try ledger.find(Self.key("550e8400-e29b-\(number)-a716-446655440000")) == .deleted)
        }
        // 2^20 bytes hold 3,600 of these keys and more.
        for number in stride(from: 5000, to: 8000, by: 100) {
            #expect(try ledger.find(Self.key("job-\(number)")) == .deleted)
        }
        #expect(throws: ServingError.keyForgotten(key: "job-0")) { try ledger.find(Self.key("job-0")) }
    }

    @Test("lines of keys are as long as the windows, however many keys have gone by, and lose none that counts")
    func tidiness() {
        var (line, live) = (KeyLine(), Set<Int>())
        for number in 0..<100_000 {
            line.add(Name("\(number)"), number, bytes: 1)
            live.insert(number)
            if let gone = live.randomElement(), live.count > 16 {
                live.remove(gone)
                line.remove(bytes: 1)
            }
            line.tidy { live.contains($1) }
            #expect(line.length <= 3 * 16 + 66)
            guard number % 50 == 0 else { continue }
            var copy = line
            #expect(copy.oldest { live.contains($1) } == live.min().map { Name("\($0)") })
        }
    }

    @Test("forgotten keys are bounded too, and come back with what is restored")
    func restored() throws {
        var ledger = Self.ledger(most: 16)
        let count = 3 * 1024
        for number in 0..<count { ledger.finish(Self.key("w-\(number)"), .deleted) }
        #expect((1024...1152).contains(ledger.forgotten.count))
        var copy = Self.ledger(most: 16)
        copy.restore(ledger.entries, forgotten: ledger.forgotten)
        #expect(copy.forgotten == ledger.forgotten && copy.entries.map(\.key) == ledger.entries.map(\.key))
        #expect(throws: ServingError.keyForgotten(key: "w-\(count - 17)")) {
            try copy.find(Self.key("w-\(count - 17)"))
        }
        #expect(try copy.find(Self.key("w-0")) == nil)
    }

    @Test(
        "a client is what stands before the last sign",
        arguments: [
            ("w3-118", "w3-"), ("job/w3:7", "job/w3:"), ("k7", ""), ("a", ""), ("a-", "a-"),
        ])
    func client(_ key: String, _ client: String) {
        #expect(Self.key(key).client.text == client)
    }

    @Test("a push whose key has left the window is not applied again, over a restart either")
    func restart() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 1], [("w", [0])])
        for number in 0..<300 {
            _ = try model.perform(command: try Self.push(number, model))
            if number % 50 == 0 { registry.waitForKeeper() }
        }
        for isRestarted in [false, true] {
            if isRestarted {
                registry.shutDown()
                registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
                model = try registry.model(named: "m")
            }
            let step = model.publication.current.step
            for number in [0, 20, 43] {
                #expect(throws: ServingError.keyForgotten(key: "w-\(number)")) {
                    _ = try model.perform(command: try Self.push(number, model))
                }
            }
            #expect(model.publication.current.step == step)
        }
        registry.shutDown()
    }

    private static func push(_ number: Int, _ model: Model) throws -> Command {
        Command.push(try model.makePush(["w": [1]])).under(key("w-\(number)"))
    }
}
