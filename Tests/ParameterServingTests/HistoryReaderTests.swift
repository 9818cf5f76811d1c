// Rolling back to every step that the journal still covers: a model is then equal to the bit.

import Glibc
import Journal
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Reading a history")
struct HistoryReaderTests {
    @Test("offline, every step gives the digest that the model had then")
    func offline() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 1 << 20)
        let digests = try Self.train(registry, steps: 40)
        registry.shutDown()
        let history = HistoryReader(directory.reading, catalogue: .builtin)
        for (step, digest) in digests.enumerated() {
            let found = try #require(try history.image(of: "m", atStep: step))
            #expect(found.step == step && found.version == step + 1)
            #expect(found.digest == digest)
        }
        #expect(try history.image(of: "m", atStep: nil)?.digest == digests.last)
        #expect(try history.image(of: "m", atStep: 41) == nil)
        #expect(try history.image(of: "unknown", atStep: nil) == nil)
    }

    @Test("after segments have gone, a step is either right or not covered, and those since the snapshot are there")
    func covered() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let digests = try Self.train(registry, steps: 400)
        registry.shutDown()
        let history = HistoryReader(directory.reading, catalogue: .builtin)
        let covered = try stride(from: 0, through: 400, by: 20).filter { step in
            guard let found = try history.image(of: "m", atStep: step) else { return false }
            #expect(found.digest == digests[step])
            return true
        }
        #expect(covered.last == 400)
        #expect(!covered.contains(0))
        #expect(covered == Array(covered.first.map { stride(from: $0, through: 400, by: 20) }.map(Array.init) ?? []))
    }

    @Test("live, a rollback gives the step's values; the version continues and retries are still known")
    func rollback() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        _ = try Self.train(registry, steps: 30)
        var model = try registry.model(named: "m")
        let values = model.values()
        let version = try #require(try registry.rollback(model, toStep: 10))
        #expect(version.step == 10 && version.version == 32)
        let reference = try Self.valuesAfter(10)
        #expect(model.values() == reference)
        #expect(try model.push(RecoveryTests.gradients(30), seq(30)).replayed)
        for number in 11...30 { try model.push(RecoveryTests.gradients(number)) }
        #expect(model.values() == values)
        let digest = model.digest
        registry.shutDown()

        registry = try directory.open()
        model = try registry.model(named: "m")
        #expect(model.digest == digest && model.publication.current.version == 52)
        #expect(try registry.rollback(model, toStep: 1000) == nil)
        registry.shutDown()
    }

    @Test("a checkpoint restores its state, even after a restart, and its file is removed when it is deleted")
    func checkpoint() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        _ = try Self.train(registry, steps: 10)
        var model = try registry.model(named: "m")
        let saved = try registry.save(model)
        #expect(saved.step == 10)
        for number in 11...300 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        registry.shutDown()

        registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        model = try registry.model(named: "m")
        let version = try #require(try registry.restore(model, saved.id))
        #expect(version.step == 10 && version.version == 302)
        #expect(model.values() == (try Self.valuesAfter(10)))
        #expect(try registry.restore(model, saved.id + 1000) == nil)
        registry.shutDown()
    }

    @Test("a diverged state is neither rolled back to nor saved as a checkpoint")
    func divergence() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        let step = try Self.pushToSnapshot(of: model, registry, directory, from: 1)
        let digest = model.digest
        try model.patch(["learning_rate": 3e38])
        #expect(throws: ServingError.diverged(parameter: "w")) { try model.push(["w": [100, 1, 1]]) }
        try model.patch(["learning_rate": 0.01])
        #expect(throws: ServingError.diverged(parameter: "w")) { try registry.save(model) }
        try Self.untilSnapshot(registry, directory) { try model.patch(["learning_rate": .number(0.01 + Double($0))]) }
        #expect(try registry.rollback(model, toStep: step)?.step == step)
        #expect(model.digest == digest)
    }

    @Test("a step from before a restore is covered as long as an older snapshot and the journal hold it")
    func beforeRestore() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        _ = try Self.train(registry, steps: 10)
        let model = try registry.model(named: "m")
        let saved = try registry.save(model)
        let step = try Self.pushToSnapshot(of: model, registry, directory, from: 11)
        for number in step + 1...step + 5 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        let digest = model.digest
        _ = try registry.restore(model, saved.id)
        // No pushes here: they could pass the step a second time, and then the later time would count.
        try Self.untilSnapshot(registry, directory) { try model.patch(["learning_rate": .number(0.01 + Double($0))]) }
        registry.shutDown()
        let history = HistoryReader(directory.reading, catalogue: .builtin)
        #expect(try history.image(of: "m", atStep: step + 5)?.digest == digest)
    }

    /// Pushes until a snapshot has been written; returns the number of the last push.
    private static func pushToSnapshot(
        of model: Model, _ registry: ModelRegistry, _ directory: TemporaryDirectory, from first: Int
    ) throws -> Int {
        var last = first
        try untilSnapshot(registry, directory) { count in
            last = first + count
            try model.push(RecoveryTests.gradients(last), seq(last))
        }
        return last
    }

    /// Repeats `body` until one more snapshot exists.
    private static func untilSnapshot(
        _ registry: ModelRegistry, _ directory: TemporaryDirectory, _ body: (Int) throws -> Void
    ) throws {
        let before = try modelSnapshots(directory).last
        for count in 0..<2000 where try modelSnapshots(directory).last == before {
            try body(count)
            registry.waitForKeeper()
        }
    }

    private static func modelSnapshots(_ directory: TemporaryDirectory) throws -> [UInt64] {
        let store = try SnapshotStore(directory: directory.path + "/snapshots")
        return try store.list().snapshots.filter { $0.kind == DataDirectory.Kind.model.rawValue }.map(\.id)
    }

    @Test("a damaged snapshot of another model does not matter, one of the model itself is skipped")
    func damagedSnapshots() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        defer { registry.shutDown() }
        _ = try Self.train(registry, steps: 150)
        let model = try registry.model(named: "m")
        let other = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "other")
        for number in 1...300 {
            try other.push(RecoveryTests.gradients(number), seq(number))
            registry.waitForKeeper()
        }
        try Self.damage(directory) { $0.model == other.uid.number }
        #expect(try registry.rollback(model, toStep: 150)?.step == 150)
        let newest = try SnapshotStore(directory: directory.path + "/snapshots").list().snapshots.last {
            $0.kind == DataDirectory.Kind.model.rawValue && $0.model == model.uid.number
        }
        try Self.damage(directory) { $0.id == newest?.id }
        #expect(try registry.rollback(model, toStep: 150)?.step == 150)
        let image = try #require(try HistoryReader(directory.reading, catalogue: .builtin).image(of: "m", atStep: 150))
        #expect(image.step == 150)
    }

    /// Flips a bit in the head of each selected snapshot.
    private static func damage(_ directory: TemporaryDirectory, where isMeant: (SnapshotInfo) -> Bool) throws {
        let snapshots = try SnapshotStore(directory: directory.path + "/snapshots").list().snapshots
        for name in directory.files("snapshots") {
            guard snapshots.contains(where: { isMeant($0) && name.hasSuffix("\($0.id).snapshot") }) else { continue }
            var bytes = try directory.read("snapshots/\(name)")
            bytes[4200] ^= 1
            try directory.write(bytes, to: "snapshots/\(name)")
        }
    }

    /// Pushes to a new model; returns its digest after each step, from step 0 on.
    private static func train(_ registry: ModelRegistry, steps: Int) throws -> [String] {
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        return try [model.digest]
            + (1...steps).map { number in
                try model.push(RecoveryTests.gradients(number), seq(number))
                registry.waitForKeeper()
                return model.digest
            }
    }

    private static func valuesAfter(_ steps: Int) throws -> [Float] {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        _ = try train(registry, steps: steps)
        return try registry.model(named: "m").values()
    }
}

extension ModelRegistry {
    func rollback(_ model: Model, toStep step: Int) throws -> ChangedVersion? {
        let answer = Future<Result<Answered<ChangedVersion>?, ServingError>>()
        rollback(model, toStep: step) { answer.fulfil($0) }
        return try answer.wait().get()?.answer
    }

    func saved(_ model: Model) throws -> [CheckpointFacts] {
        let answer = Future<Result<CheckpointList, ServingError>>()
        checkpoints(of: model) { answer.fulfil($0) }
        return try answer.wait().get().intact
    }

    func save(_ model: Model) throws -> CheckpointFacts {
        let answer = Future<Result<Answered<CheckpointFacts>, ServingError>>()
        saveCheckpoint(of: model) { answer.fulfil($0) }
        return try answer.wait().get().answer
    }

    func restore(_ model: Model, _ id: UInt64) throws -> ChangedVersion? {
        let answer = Future<Result<Answered<ChangedVersion>?, ServingError>>()
        restore(model, toCheckpoint: id) { answer.fulfil($0) }
        return try answer.wait().get()?.answer
    }
}
