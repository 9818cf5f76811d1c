// A long rollback delays only the client that asked for it: not other models' checkpoints, and not the journal, which
// keeps only what the rollback reads.

import Glibc
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Long rollbacks", .serialized)
struct LongRollbackTests {
    /// A registry whose catalogue has `Halting`.
    private static func open(_ directory: TemporaryDirectory) throws -> ModelRegistry {
        try ModelRegistry.open(
            directory.data(segmentBytes: 4096),
            configuration: ServingConfiguration(memoryLimit: 1 << 30, snapshotAllowance: 8192),
            catalogue: Catalogue(adding: [Halting.self])
        ) { _ in }.0
    }

    /// Starts a rollback of `model`, and waits until the rollback applies an update.
    private static func halt(
        _ model: Model, of registry: ModelRegistry, toStep step: Int
    ) -> (end: Future<Void>, answer: Future<Result<Answered<ChangedVersion>?, ServingError>>) {
        let (halt, answer) = (Halt(), Future<Result<Answered<ChangedVersion>?, ServingError>>())
        Halting.halt.withLock { $0 = halt }
        registry.rollback(model, toStep: step) { answer.fulfil($0) }
        halt.isReached.wait()
        return (halt.end, answer)
    }

    /// Whether the future is fulfilled within a minute; only a future that is never fulfilled takes that long.
    private static func isGiven<Value>(_ future: Future<Value>) -> Bool {
        for _ in 0..<6000 where future.current == nil { usleep(10_000) }
        return future.current != nil
    }

    @Test("while one model is rolled back, another's checkpoints are saved, listed, opened and deleted")
    func others() throws {
        let directory = try TemporaryDirectory()
        let registry = try Self.open(directory)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "Halting", "learning_rate": 1], [("w", [1, 2])], name: "a")
        for number in 1...3 { try model.push(["w": [1, 1]], seq(number)) }
        let other = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "b")
        let halted = Self.halt(model, of: registry, toStep: 1)
        defer { halted.end.fulfil(()) }

        let saved = Future<Result<Answered<CheckpointFacts>, ServingError>>()
        registry.saveCheckpoint(of: other) { saved.fulfil($0) }
        try #require(Self.isGiven(saved))
        let id = try saved.wait().get().answer.id
        let listed = Future<Result<CheckpointList, ServingError>>()
        registry.checkpoints(of: other) { listed.fulfil($0) }
        try #require(Self.isGiven(listed))
        #expect(try listed.wait().get().intact.map(\.id) == [id])
        let opened = Future<Result<CheckpointFile?, ServingError>>()
        registry.openCheckpoint(id, of: other) { opened.fulfil($0) }
        try #require(Self.isGiven(opened))
        #expect(try opened.wait().get()?.facts.id == id)
        let deleted = Future<Result<Answered<CheckpointFacts>?, ServingError>>()
        registry.deleteCheckpoint(id, of: other) { deleted.fulfil($0) }
        try #require(Self.isGiven(deleted))
        #expect(try deleted.wait().get()?.answer.id == id)

        #expect(halted.answer.current == nil)
        halted.end.fulfil(())
        #expect(try halted.answer.wait().get()?.answer.step == 1)
    }

    @Test("the records that a rollback reads stay in the journal until it is done, and are deleted afterwards")
    func journal() throws {
        let directory = try TemporaryDirectory()
        let registry = try Self.open(directory)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "Halting", "learning_rate": 1], [("w", [1, 2])])
        for number in 1...3 { try model.push(["w": [1, 1]], seq(number)) }
        let first = try #require(directory.files("journal").first)
        let halted = Self.halt(model, of: registry, toStep: 2)
        defer { halted.end.fulfil(()) }
        // Far more than two snapshots' worth of records: without the rollback, the first segment would have been
        // deleted.
        let other = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "b")
        for number in 1...600 { try other.push(RecoveryTests.gradients(number), seq(number)) }
        for number in 4...600 { try model.push(["w": [1, 1]], seq(number)) }
        registry.waitForKeeper()
        #expect(directory.files("journal").first == first)
        #expect(directory.files("snapshots").count > 1)
        halted.end.fulfil(())
        #expect(try halted.answer.wait().get()?.answer.step == 2)
        for number in 601...1200 { try other.push(RecoveryTests.gradients(number), seq(number)) }
        for number in 601...1200 { try model.push(["w": [1, 1]], seq(number)) }
        registry.waitForKeeper()
        #expect(directory.files("journal").first != first)
    }
}

/// A place where the next update stops.
private struct Halt: Sendable {
    let isReached = Future<Void>()
    let end = Future<Void>()
}

/// Plain descent whose next update waits at `halt`, if one is set.
private final class Halting: Optimizer {
    static let halt = Locked<Halt?>(nil)

    override class var traits: RuleTraits { RuleTraits("Halting") }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        let halt = Self.halt.withLock { halt in
            defer { halt = nil }
            return halt
        }
        halt?.isReached.fulfil(())
        halt?.end.wait()
        for gradient in gradients {
            let parameter = parameter(of: gradient)
            guard let rate = try learningRate(of: gradient.index) else { continue }
            for index in gradient.indices { parameter[index] -= rate * gradient[index] }
        }
    }
}
