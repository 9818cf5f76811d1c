// Hyperparameters of pushes on disk and in memory: records and images carry them in the new format and nothing else
// does; receipts that keep them are counted.

import Names
import Optimizers
import Testing
import Threading

@testable import Journal
@testable import ParameterServing

@Suite("Hyperparameters of a push")
struct BroughtHyperparametersTests {
    static let brought = Hyperparameters(["learning_rate": 0.25, "momentum": 0.125])

    static func push(_ model: ModelState, _ brought: Hyperparameters?, sighting: Sighting?) throws -> Push {
        var push = try model.makePush(["w": [1, 2, 3]], seq(3), basedOn: .step(1))
        (push.hyperparameters, push.sighting) = (brought, sighting)
        return push
    }

    static func bytes(_ push: Push, _ model: ModelState) -> [UInt8] {
        let record = Command.push(push).record(of: model.facts.uid, in: model.layout)
        return record.payload.flatMap { Array($0.content) }
    }

    static func read(_ bytes: [UInt8], _ model: ModelState) throws -> Push? {
        try parse(bytes) { reader throws(FormatError) in
            let command = try Command(.push, reading: &reader, layout: model.layout, pool: model.pool)
            if case .push(let push) = command { return push } else { return nil }
        }
    }

    @Test("a record has them after everything else, with and without a time")
    func record() throws {
        let model = try Sample.model()
        for sighting in [nil, Sighting(time: 1000, expires: "old")] {
            let bytes = Self.bytes(try Self.push(model, Self.brought, sighting: sighting), model)
            let copy = try #require(try Self.read(bytes, model))
            #expect(copy.hyperparameters == Self.brought && copy.sighting == sighting)
            #expect(copy.key == seq(3) && copy.basedOn == .step(1))
            let plain = Self.bytes(try Self.push(model, nil, sighting: sighting), model)
            #expect(try #require(try Self.read(plain, model)).hyperparameters == nil)
            // The part before the tail is the same: a tail begins with its format, 3, or 2 or nothing without them.
            let tail = plain.count - RecordTail(sighting: sighting).encoded.count
            #expect(bytes.prefix(tail) == plain.prefix(tail) && bytes[tail] == 3)
            for count in (tail + 1)..<bytes.count {
                #expect(throws: FormatError.self) { _ = try Self.read(Array(bytes.prefix(count)), model) }
            }
        }
    }

    @Test("an image has them with their receipts, in format 6; without them it stays as it was")
    func image() throws {
        var model = try Sample.model()
        #expect(model.view.ofEarlierRelease.headBytes[8] == 2)
        _ = model.apply(.push(try Self.push(model, Self.brought, sighting: nil)), at: 4)
        let image = model.view.ofEarlierRelease
        #expect(image.headBytes[8] == 6)
        let head = try ImageSource.of(image.bytes).head().head
        #expect(head.workers == image.head.workers)
        let entries = try #require(head.workers["a"]?.entries)
        #expect(entries.map(\.receipt.hyperparameters) == [nil, nil, Self.brought])
        #expect(entries.last?.receipt.learningRates == [0.25])
    }

    @Test("a replay of the records gives the same bits and receipts")
    func replay() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        var model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...6 {
            let rate = 0.5 / Double(number)
            try model.push(
                RecoveryTests.gradients(number), seq(number),
                bringing: number == 3 ? nil : ["learning_rate": .number(rate), "momentum": 0.25])
        }
        let digest = model.digest
        registry.shutDown()
        registry = try directory.open()
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        #expect(model.digest == digest)
        let receipt = try model.push(
            RecoveryTests.gradients(6), seq(6), bringing: ["momentum": 0.25, "learning_rate": .number(0.5 / 6)])
        #expect(receipt.replayed && receipt.hyperparameters?.setting["momentum"] == 0.25)
        #expect(throws: ServingError.self) { try model.push(RecoveryTests.gradients(6), seq(6)) }
    }

    @Test("what receipts keep is counted, equal neighbours once, and returned when they leave the window")
    func memory() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(receiptWindow: 10)
        defer { registry.shutDown() }
        let names = (0..<500).map { Name("p\($0)") }
        let groups = names.map { SettingValue.object([.init(key: "params", value: .array([.string($0.text)]))]) }
        let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1, "groups": .array(groups)]
        let model = try registry.make(settings, names.map { ($0, [0]) })
        func brought(_ rate: Double) -> SettingValue {
            let entries = names.indices.map { place in
                SettingValue.Entry(key: Name("group\(place)"), value: ["lr": .number(rate)])
            }
            return ["groups": .object(entries)]
        }
        var number = 0
        func growth(of rates: [Double]) throws -> Int {
            let before = registry.budget.reserved
            for rate in rates {
                number += 1
                try model.push(["p0": [1]], seq(number), bringing: brought(rate))
            }
            let done = Future<Void>()
            model.inspect { _ in done.fulfil(()) }
            done.wait()
            return registry.budget.reserved - before
        }
        // Each has 500 names of at least 6 bytes and 500 numbers of 8, and the rates have 4 bytes for each group.
        let least = 500 * (6 + 8 + 4)
        let equal = try growth(of: [Double](repeating: 0.5, count: 5))
        #expect(equal >= least)
        let different = try growth(of: (1...5).map { Double($0) })
        #expect(different >= 5 * least && different > 3 * equal)
        // The window is full: each new receipt replaces an old one, first those that shared.
        let replaced = try growth(of: (6...30).map { Double($0) })
        #expect(replaced <= 5 * different / 4)
    }
}
