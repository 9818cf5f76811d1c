// One answer to what a directory holds: the live registry, a start, a rollback, and verify and salvage read the same
// records, and a list that the test keeps by itself says what is right.

import Foundation
import Optimizers
import Testing

@testable import Journal
@testable import ParameterServing

@Suite("Directory state")
struct DirectoryStateTests {
    /// What exists, as the test or a reader sees it.
    struct Holdings: Equatable {
        var models: [String: ModelUID] = [:]
        /// For each name that was ever used: the newest creation, and whether it was deleted.
        var newest: [String: String] = [:]

        mutating func note(_ name: String, _ uid: ModelUID, isDeleted: Bool) {
            models[name] = isDeleted ? nil : uid
            newest[name] = "\(uid)\(isDeleted ? " deleted" : "")"
        }
    }

    @Test("all readers agree over random histories", arguments: 0..<12)
    func histories(seed: Int) throws {
        let directory = try TemporaryDirectory()
        var random = SeededGenerator(state: UInt64(seed) &* 7919 &+ 1)
        var expected = Holdings()
        for _ in 0..<4 {
            let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 4096)
            for _ in 0..<25 { try Self.step(registry, &expected, &random) }
            // Each wait lets the keeper end one piece of work; there are fewer than these due.
            for _ in 0..<8 { registry.waitForKeeper() }
            #expect(Self.live(registry) == expected.models)
            try Self.compare(directory.crashImage(), expected)
            registry.shutDown()
            try Self.compare(directory, expected)
        }
    }

    @Test("all readers agree over the golden directories", arguments: ["v1"])
    func golden(version: String) throws {
        let copy = try GoldenTests.copy(of: version)
        let registry = try copy.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let model = try registry.model(named: "m")
        registry.shutDown()
        var expected = Holdings()
        expected.note("m", model.uid, isDeleted: false)
        try Self.compare(try GoldenTests.copy(of: version), expected)
    }

    @Test("a record type of a later release stops every reader")
    func laterRelease() throws {
        let bytes: [UInt8] = []
        bytes.withUnsafeBytes { payload in
            let record = StoredRecord(position: 1, type: 14, flags: 0, model: 1, payload: payload)
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

    private static func step(
        _ registry: ModelRegistry, _ expected: inout Holdings, _ random: inout SeededGenerator
    ) throws {
        let name = ["a", "b", "é"][Int.random(in: 0..<3, using: &random)]
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1:
            let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: name)
            expected.note(name, model.uid, isDeleted: false)
        case 2:
            guard let uid = expected.models[name] else { return }
            try registry.delete(name)
            expected.note(name, uid, isDeleted: true)
        case 3: registry.waitForKeeper()
        default:
            guard expected.models[name] != nil else { return }
            for number in 1...8 { try registry.model(named: name).push(RecoveryTests.gradients(number)) }
        }
    }

    // MARK: Readers

    private static func live(_ registry: ModelRegistry) -> [String: ModelUID] {
        Dictionary(uniqueKeysWithValues: registry.list().map { ($0.name, $0.uid) })
    }

    /// Asks each reader; the one that writes comes last.
    private static func compare(_ directory: TemporaryDirectory, _ expected: Holdings) throws {
        let contents = try DirectoryInventory(directory.reading)
        #expect(contents.gaps.isEmpty)
        let known = contents.state.models
        #expect(Dictionary(uniqueKeysWithValues: known.map { ($0.value.name.text, $0.key) }) == expected.models)
        let rewind = Rewind(directory.reading, catalogue: .builtin)
        for (name, newest) in expected.newest {
            let isDeleted = newest.hasSuffix(" deleted")
            let found = try rewind.newest(called: name)
            // Of a model that was deleted, the files may be gone.
            guard !isDeleted || found != nil else { continue }
            #expect(found.map { "\($0.uid)\($0.isDeleted ? " deleted" : "")" } == newest, "\(name)")
            if !isDeleted { #expect(try rewind.image(of: name, atStep: nil) != nil) }
        }
        #expect(try directory.reading.gaps().isEmpty)
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 4096)
        #expect(live(registry) == expected.models)
        registry.shutDown()
    }
}
