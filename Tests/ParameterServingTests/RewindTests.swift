// Going back: to every step that the journal still covers, a model is what it was then, to the bit.

import Journal
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Rewind")
struct RewindTests {
    @Test("offline, every step gives the digest that the model had then")
    func offline() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 1 << 20)
        let digests = try Self.train(registry, steps: 40)
        registry.shutDown()
        let rewind = Rewind(try directory.data(), catalogue: .builtin)
        for (step, digest) in digests.enumerated() {
            let found = try #require(try rewind.image(of: "m", atStep: step))
            #expect(found.step == step && found.version == step + 1)
            #expect(found.digest == digest)
        }
        #expect(try rewind.image(of: "m", atStep: nil)?.digest == digests.last)
        #expect(try rewind.image(of: "m", atStep: 41) == nil)
        #expect(try rewind.image(of: "nobody", atStep: nil) == nil)
    }

    @Test("after segments have gone, a step is either right or not covered, and those since the snapshot are there")
    func covered() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let digests = try Self.train(registry, steps: 400)
        registry.shutDown()
        let rewind = Rewind(try directory.data(), catalogue: .builtin)
        let covered = try stride(from: 0, through: 400, by: 20).filter { step in
            guard let found = try rewind.image(of: "m", atStep: step) else { return false }
            #expect(found.digest == digests[step])
            return true
        }
        #expect(covered.last == 400)
        #expect(!covered.contains(0))
        #expect(covered == Array(covered.first.map { stride(from: $0, through: 400, by: 20) }.map(Array.init) ?? []))
    }

    @Test("live, a rollback gives the step's values; the version goes on and retries are still known")
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

    @Test("a checkpoint brings its state back, also after a restart, and goes when it is deleted")
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

    /// Pushes to a new model; its digest after each step, from 0 on.
    private static func train(_ registry: ModelRegistry, steps: Int) throws -> [String] {
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        return try [model.digest]
            + (1...steps).map { number in
                try model.push(RecoveryTests.gradients(number), seq(number))
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
    fileprivate func rollback(_ model: Model, toStep step: Int) throws -> PublishedVersion? {
        let answer = Promise<Result<PublishedVersion?, ServingError>>()
        rollback(model, toStep: step) { answer.fulfil($0) }
        return try answer.wait().get()
    }

    fileprivate func save(_ model: Model) throws -> CheckpointFacts {
        let answer = Promise<Result<CheckpointFacts, ServingError>>()
        saveCheckpoint(of: model) { answer.fulfil($0) }
        return try answer.wait().get()
    }

    fileprivate func restore(_ model: Model, _ id: UInt64) throws -> PublishedVersion? {
        let answer = Promise<Result<PublishedVersion?, ServingError>>()
        restore(model, toCheckpoint: id) { answer.fulfil($0) }
        return try answer.wait().get()
    }
}
