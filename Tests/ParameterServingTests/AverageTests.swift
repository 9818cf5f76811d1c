// Averages of a live model: which updates they take in, that they belong to versions, and that every way to bring a
// state back brings them back. The expected numbers are computed by hand: SGD with rate 1 adds the negative gradient.

import Journal
import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Averages of a model")
struct AverageTests {
    /// `w` is the number of the push after each push of -1.
    static let counting: SettingValue = [
        "optimizer": "sgd", "learning_rate": 1,
        "averages": ["ema": ["decay": 0.5], "swa": ["start": 2, "every": 2]],
    ]
    private static let one: [(Name, [Float])] = [("w", [0])]

    @Test("ema takes in every update, swa those that are due; both are of one version", arguments: Place.allCases)
    func values(place: Place) throws {
        try place.withRegistry { registry in
            let model = try registry.make(Self.counting, Self.one)
            #expect(throws: ServingError.averageNotStarted("ema", first: 1, step: 0)) { try model.average("ema") }
            let ema: [Float] = [1, 1.5, 2.25, 3.125, 4.0625]
            let swa: [Float?] = [nil, 2, 2, 3, 3]
            for number in 0..<5 {
                try model.count()
                #expect(try model.average("ema") == [ema[number]])
                #expect((try? model.average("swa")) == swa[number].map { [$0] })
            }
            #expect(model.values() == [5] && model.updates == ["ema": 5, "swa": 2])
            #expect(throws: ServingError.unknownAverage("emma", known: ["ema", "swa"])) { try model.average("emma") }
        }
    }

    @Test("a retained version keeps its averages, and so does one that a reader holds")
    func versions() throws {
        let configuration = ServingConfiguration(memoryLimit: 1 << 30)
        let registry = ModelRegistry(configuration: configuration, catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(Self.counting, Self.one)
        try model.count()
        let held = model.publication.current
        for _ in 0..<20 { try model.count() }
        #expect(try held.values(of: "ema").buffer.base[0] == 1)
        let last = try #require(model.publication.version(model.publication.current.version - 1))
        let (before, now) = (try last.values(of: "ema"), try model.publication.current.values(of: "ema"))
        #expect(now.buffer.base[0] == (before.buffer.base[0] + 21) / 2)
    }

    @Test("an update that overflows is not taken in")
    func skipped() throws {
        try Place.memory.withRegistry { registry in
            let settings = Self.counting.setting("on_nonfinite", to: "skip")
            let model = try registry.make(settings, Self.one)
            try model.count()
            try model.push(["w": [.infinity]])
            #expect(model.publication.current.step == 1 && model.updates == ["ema": 1, "swa": 0])
            #expect(try model.average("ema") == [1])
        }
    }

    @Test("a patch adds one from the next update on, keeps values when numbers change, and removes with null")
    func patches() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(["optimizer": "sgd", "learning_rate": 1], Self.one)
            #expect(throws: ServingError.unknownAverage("ema", known: [])) { try model.average("ema") }
            for _ in 0..<3 { try model.count() }
            try model.patch(["averages": ["ema": ["decay": 0.5]]])
            #expect(throws: ServingError.averageNotStarted("ema", first: 4, step: 3)) { try model.average("ema") }
            for _ in 0..<2 { try model.count() }
            #expect(try model.average("ema") == [4.5])
            let before = model.publication.current
            try model.patch(["averages": ["ema": ["decay": 0.75]]])
            #expect(try model.average("ema") == [4.5])
            try model.count()
            #expect(try model.average("ema") == [4.875])
            try model.patch(["averages": ["ema": nil, "swa": [:]]])
            #expect(model.publication.current.averages.map(\.name) == ["swa"])
            #expect(try before.values(of: "ema").buffer.base[0] == 4.5)
            try model.patch(["averages": ["ema": [:]]])
            #expect(model.updates == ["ema": 0, "swa": 0])
            try model.patch(["averages": nil])
            #expect(model.publication.current.averages.isEmpty)
            #expect(throws: ServingError.self) { try model.patch(["averages": ["ema": ["decay": 2]]]) }
        }
    }

    @Test("an import leaves them, and a restore or rollback brings back those of that state")
    func restores() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(Self.counting, Self.one)
        let empty = try registry.save(model)
        for _ in 0..<3 { try model.count() }
        let saved = try registry.save(model)
        try model.load(["w": [100]])
        #expect(try model.average("ema") == [2.25] && model.average("swa") == [2])
        try model.count()
        #expect(try model.average("ema") == [51.625] && model.average("swa") == [51.5])
        _ = try registry.restore(model, saved.id)
        #expect(try model.average("ema") == [2.25] && model.average("swa") == [2])
        #expect(model.updates == ["ema": 3, "swa": 1] && model.values() == [3])
        try model.count()
        #expect(try model.average("ema") == [3.125] && model.average("swa") == [3])
        _ = try registry.restore(model, empty.id)
        #expect(model.updates == ["ema": 0, "swa": 0])
        for _ in 0..<2 { try model.count() }
        #expect(try model.average("ema") == [1.5])
        _ = try registry.rollback(model, toStep: 1)
        #expect(try model.average("ema") == [1] && model.updates == ["ema": 1, "swa": 0])
    }

    @Test("a state imported without values leaves them")
    func importedState() throws {
        try Place.disk.withRegistry { registry in
            let model = try registry.make(Self.counting, Self.one)
            try model.count()
            let state = model.inspected { $0.optimizer.exportState() }
            _ = try model.perform(Change.restore(Restoration(arena: nil, optimizer: state)))
            #expect(try model.average("ema") == [1])
        }
    }

    @Test("journal and snapshots bring back every bit", arguments: [64 << 20, 4 << 10])
    func recovery(snapshotAllowance: Int) throws {
        let directory = try TemporaryDirectory()
        let settings = RecoveryTests.momentum.setting("averages", to: ["ema": [:], "swa": ["start": 3, "every": 4]])
        var registry = try directory.open(segmentBytes: 4 << 10, snapshotAllowance: snapshotAllowance)
        let model = try registry.make(settings, RecoveryTests.parameters)
        for number in 1...100 {
            try model.push(RecoveryTests.gradients(number), seq(number))
            registry.waitForKeeper()
        }
        let before = (model.digest, try model.average("ema", "w"), try model.average("swa", "w"), model.updates)
        registry.shutDown()
        let replayed = try HistoryReader(directory.reading, catalogue: .builtin).image(of: "m", atStep: 100)
        #expect(replayed?.digest == before.0)
        registry = try directory.open()
        let again = try registry.model(named: "m")
        #expect((again.digest, try again.average("ema", "w"), try again.average("swa", "w"), again.updates) == before)
        registry.shutDown()
    }

    @Test("the digest tells averages with other bits apart")
    func digest() throws {
        let digests = try [0.5, 0.25].map { decay in
            let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
            defer { registry.shutDown() }
            let settings = Self.counting.setting("averages", to: ["ema": ["decay": .number(decay)]])
            let model = try registry.make(settings, Self.one)
            for _ in 0..<2 { try model.count() }
            return model.digest
        }
        #expect(digests[0] != digests[1])
    }
}

extension AverageTests {
    @Test("an image with averages comes back, and one that is truncated anywhere is an error")
    func image() throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        var model = try assembly.assemble("m", ModelUID(number: 1), .definition(.of(Self.counting, Self.one)))
        model.begin(at: 1)
        for number in 1...3 { _ = model.apply(.push(try model.makePush(["w": [-1]])), at: UInt64(number) + 1) }
        let bytes = model.view.bytes
        let again = try assembly.assemble(ImageSource.of(bytes))
        #expect(again.view.digest == model.view.digest && again.published.averages.map(\.updates) == [3, 1])
        for count in bytes.indices {
            #expect(throws: (any Error).self, "the first \(count) bytes of \(bytes.count)") {
                try assembly.assemble(ImageSource.of(Array(bytes.prefix(count))))
            }
        }
    }

    @Test("their memory is counted: refused where there is no room, and returned with the model")
    func memory() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 10_000))]
        let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1]
        let averages: SettingValue = ["ema": [:], "swa": [:]]
        let both = settings.setting("averages", to: averages)
        // 40,000 bytes each: the slot of SGD, three copies of the values, and two more for each average.
        try Place.memory.withRegistry(memoryLimit: 8 * 40_000 - 1) { registry in
            let model = try registry.make(settings, values)
            let refused = #expect(throws: ServingError.self) { try model.patch(["averages": averages]) }
            guard case .tooLargeToStep = refused else { throw refused ?? .stopping }
            #expect(throws: ServingError.self) { try registry.make(both, values, name: "other") }
            try model.push(["w": values[0].1])
        }
        try Place.memory.withRegistry(memoryLimit: 8 * 40_000 + 10_000) { registry in
            let model = try registry.make(both, values)
            let before = registry.budget.reserved
            #expect(before >= 4 * 40_000)
            for _ in 0..<5 { try model.push(["w": values[0].1]) }
            try model.patch(["averages": nil])
            model.pool.releaseFree()
            #expect(registry.budget.reserved <= before - 40_000)
        }
    }

    @Test("pushes whose averages readers hold are refused before they are logged, and accepted once memory is free")
    func pinned() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000))]
        try Place.memory.withRegistry(memoryLimit: 60_000) { registry in
            let model = try registry.make(Self.counting, values)
            var held: [PublishedVersion] = []
            var applied = 0
            while applied < 20 {
                held.append(model.publication.current)
                do { try model.push(["w": values[0].1]) } catch ServingError.outOfMemory { break }
                applied += 1
                #expect(registry.budget.reserved <= 60_000)
            }
            #expect((1...4).contains(applied) && model.publication.current.step == applied)
            held = []
            try model.push(["w": values[0].1])
            #expect(model.publication.current.step == applied + 1)
        }
    }
}

extension Model {
    /// A push of -1.
    fileprivate func count() throws { try push(["w": [-1]]) }

    /// The values of a parameter in an average of the newest version.
    fileprivate func average(_ average: Name, _ name: Name = "w") throws -> [Float] {
        let values = try publication.current.values(of: average).buffer
        return layout.index(of: name).map { Array(values[layout.parameters[$0].range]) } ?? []
    }

    /// The number of updates that each average has taken in.
    fileprivate var updates: [Name: Int] {
        Dictionary(uniqueKeysWithValues: publication.current.averages.map { ($0.name, $0.updates) })
    }
}
