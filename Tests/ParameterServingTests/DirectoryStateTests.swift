// All readers agree on what a directory holds and on the state of each model, to the bit: the live registry, a start, a
// rollback, replay, verify and salvage read the same records. The expected state is kept by the test itself.

import Foundation
import Names
import Optimizers
import SimulatedMachine
import Testing
import Threading

@testable import Journal
@testable import ParameterServing

@Suite("Directory state")
struct DirectoryStateTests {
    /// The content of a directory, as the test or a reader sees it.
    struct Holdings: Equatable {
        var models: [String: ModelUID] = [:]
        /// For each name that was ever used: the newest creation, and whether it was deleted.
        var newest: [String: String] = [:]
        /// The digest of each model's state.
        var digests: [String: String] = [:]
        /// The number of pushes applied in all, and the number of restores.
        var (pushes, returns) = (0, 0)

        mutating func note(_ name: String, _ uid: ModelUID, isDeleted: Bool) {
            models[name] = isDeleted ? nil : uid
            newest[name] = "\(uid)\(isDeleted ? " deleted" : "")"
        }
    }

    @Test("all readers agree over random histories", arguments: sweep(0..<24))
    func histories(seed: Int) throws {
        var turns = SeededGenerator(seed: UInt64(seed))
        try Simulation { Int.random(in: 0..<$0, using: &turns) }.run { try Self.live(seed: seed) }
    }

    @Test("all readers agree over the golden directories", arguments: ["v1"])
    func golden(version: String) throws {
        let copy = try GoldenTests.copy(of: version)
        let registry = try copy.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let model = try registry.model(named: "m")
        registry.shutDown()
        var expected = Holdings()
        expected.note("m", model.uid, isDeleted: false)
        expected.digests = ["m": GoldenTests.digest]
        try Self.compare(SimulatedDirectory(copying: try GoldenTests.copy(of: version)), expected)
    }

    @Test("a record type of a later release stops every reader")
    func laterRelease() throws {
        let bytes: [UInt8] = []
        bytes.withUnsafeBytes { payload in
            let record = StoredRecord(position: 1, type: 999, flags: 0, model: 1, payload: payload)
            #expect(throws: FormatError.self) { try RecordHead(of: record) }
        }
    }

    @Test("an older namesake never comes back, in whatever order its record is read")
    func namesake() {
        var state = DirectoryState(uids: UIDSource(seed: 0, count: 2))
        let (old, new) = (ModelUID(number: 1), ModelUID(number: 2))
        state.add(new, name: "m", position: 9)
        #expect(state.apply(.create(old, name: "m", count: 1), at: 1) == .none)
        #expect(state.apply(.command(old, .push), at: 2) == .none)
        #expect(state.apply(.create(new, name: "m", count: 2), at: 3) == .none)
        #expect(state.apply(.command(new, .push), at: 8) == .none)
        #expect(state.apply(.command(new, .push), at: 9) == .command(new, .push))
        #expect(state.unexplained == nil && Set(state.models.keys) == [new])
    }

    @Test("of two snapshots under one name the later creation keeps it")
    func leftoverSnapshot() {
        var state = DirectoryState(uids: UIDSource(seed: 0, count: 2))
        for uid in [2, 1] { state.add(ModelUID(number: UInt32(uid)), name: "m", position: 5) }
        #expect(state.finish() == [ModelUID(number: 1)])
        #expect(state.models.keys.map(\.number) == [2])
    }

    // MARK: Histories

    /// Runs a random history, and compares the readers after each run of the daemon and after a crash before its end.
    private static func live(seed: Int) throws {
        let directory = SimulatedDirectory()
        var random = SeededGenerator(seed: UInt64(seed) &* 7919 &+ 1)
        var expected = Holdings()
        for _ in 0..<4 {
            let registry = try directory.open()
            for _ in 0..<25 { try step(registry, &expected, &random) }
            registry.waitForKeeper()
            #expect(live(registry) == expected.models)
            expected.digests = digests(registry)
            try compare(directory.afterKill(), expected)
            registry.shutDown()
            try compare(directory, expected)
        }
        #expect(expected.pushes >= 16 && expected.returns > 0)
        let data = directory.reading
        let first = try Journal.firstSegment(directory: data.journalPath, on: data.disk)
        #expect((first?.number ?? 1) > 1, "snapshots replaced the beginning of the journal")
    }

    private static func step(
        _ registry: ModelRegistry, _ expected: inout Holdings, _ random: inout SeededGenerator
    ) throws {
        let name = ["a", "b", "é"][Int.random(in: 0..<3, using: &random)]
        switch Int.random(in: 0..<16, using: &random) {
        case 0, 1:
            let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: name)
            expected.note(name, model.uid, isDeleted: false)
        case 2:
            guard let uid = expected.models[name] else { return }
            try registry.delete(name)
            expected.note(name, uid, isDeleted: true)
        case 3: registry.waitForKeeper()
        case let choice:
            guard expected.models[name] != nil else { return }
            try change(try registry.model(named: name), of: registry, choice, &expected, &random)
        }
    }

    /// Changes a model in one of the possible ways; some changes are refused, and the journal contains those too.
    private static func change(
        _ model: Model, of registry: ModelRegistry, _ choice: Int, _ expected: inout Holdings,
        _ random: inout SeededGenerator
    ) throws {
        let step = model.publication.current.step
        switch choice {
        case 4: try model.load(["v": [Float.random(in: -1...1, using: &random)]])
        case 5: try model.patch(["learning_rate": .number(Double.random(in: 0...0.1, using: &random))])
        case 6: _ = try model.register("a")
        case 7:
            guard model.publication.divergence == nil else { return }
            let saved = try registry.save(model)
            try model.load(["v": [1]])
            expected.returns += try registry.restore(model, saved.id) == nil ? 0 : 1
        case 8: expected.returns += try registry.rollback(model, toStep: step / 2) == nil ? 0 : 1
        case 10: try grow(model, &random)
        case 9:
            for _ in 0..<2 { _ = try? model.push(["w": [3e38, 1, 1]]) }
            if Bool.random(using: &random) { try model.load(["v": [2]]) }
        default:
            for number in 1...8 {
                let key = number.isMultiple(of: 2) ? seq(step + number, "b") : nil
                guard (try? model.push(RecoveryTests.gradients(number), key)) != nil else { return }
                expected.pushes += 1
            }
        }
    }

    /// Adds a parameter, or rows to it if it is there, and pushes a gradient for it.
    private static func grow(_ model: Model, _ random: inout SeededGenerator) throws {
        let name: Name = ["x", "y", "z"][Int.random(in: 0..<3, using: &random)]
        let isThere = model.layout.index(of: name) != nil
        let index = model.layout.index(of: "v")
        let isTrained = index.map { model.layout.parameters[$0].isTrainable } ?? true
        try model.patch(["parameters": ["v": ["trainable": .boolean(!isTrained)]]])
        try model.patch(["parameters": ["v": ["trainable": true]]])
        try model.grow(
            isThere
                ? Growth(rows: [Growth.Rows(name, count: 1, initial: "ones")])
                : Growth(added: [GrowthTests.parameter(name, [2], "normal")]))
        guard model.publication.divergence == nil else { return }
        try model.push([name: model.values(name)])
    }

    // MARK: Readers

    private static func digests(_ registry: ModelRegistry) -> [String: String] {
        Dictionary(uniqueKeysWithValues: registry.list().map { ($0.name, $0.digest) })
    }

    private static func live(_ registry: ModelRegistry) -> [String: ModelUID] {
        Dictionary(uniqueKeysWithValues: registry.list().map { ($0.name, $0.uid) })
    }

    /// Compares each reader; the one that writes comes last.
    private static func compare(_ directory: SimulatedDirectory, _ expected: Holdings) throws {
        let contents = try DirectoryInventory(directory.reading)
        #expect(contents.gaps.isEmpty)
        let known = contents.state.models
        #expect(Dictionary(uniqueKeysWithValues: known.map { ($0.value.name.text, $0.key) }) == expected.models)
        let reader = HistoryReader(directory.reading, catalogue: .builtin)
        for (name, newest) in expected.newest {
            let isDeleted = newest.hasSuffix(" deleted")
            let found = try reader.newest(called: name)
            // The files of a deleted model may no longer exist.
            guard !isDeleted || found != nil else { continue }
            #expect(found.map { "\($0.uid)\($0.isDeleted ? " deleted" : "")" } == newest, "\(name)")
            guard !isDeleted else { continue }
            #expect(try reader.image(of: name, atStep: nil)?.digest == expected.digests[name], "\(name)")
        }
        try rehearse(directory, expected)
        #expect(try directory.reading.gaps().isEmpty)
        let registry = try directory.open()
        #expect(live(registry) == expected.models)
        #expect(digests(registry) == expected.digests)
        registry.shutDown()
    }

    /// Compares the models that `verify` builds.
    private static func rehearse(_ directory: SimulatedDirectory, _ expected: Holdings) throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 30), .builtin)
        defer { assembly.executor.stop() }
        let start = DirectoryRecovery(directory.reading, assembly)
        try start.rehearse()
        let found = start.models.values.map { ($0.name, "\($0.state.view.digest)") }
        #expect(Dictionary(uniqueKeysWithValues: found) == expected.digests)
    }
}
