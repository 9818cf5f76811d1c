// Checkpoints and other uses of a whole state: what a restore refuses before it is logged, when files are deleted, and
// that a live model and a replay have the same digest.

import Glibc
import Journal
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Checkpoints")
struct CheckpointTests {
    @Test("a deleted or replaced model takes its checkpoints with it", arguments: [true, false])
    func goneWithTheModel(isDeleted: Bool) throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        let other = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "other")
        let saved = try registry.save(model)
        let kept = try registry.save(other)
        #expect(directory.files("checkpoints").count == 2)
        if isDeleted { try registry.delete("m") } else { _ = try registry.make(["optimizer": "sgd"], [("w", [0])]) }
        for _ in 0..<6000 where directory.files("checkpoints").count > 1 { usleep(10_000) }
        #expect(directory.files("checkpoints").count == 1)
        #expect(try registry.restore(other, kept.id) != nil)
        #expect(saved.id != kept.id)
        registry.shutDown()
    }

    @Test("a checkpoint that a crash left behind its model goes at the next start")
    func orphan() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        _ = try registry.save(model)
        let name = "checkpoints/" + (try #require(directory.files("checkpoints").first))
        let bytes = try directory.read(name)
        try registry.delete("m")
        registry.shutDown()
        try directory.write(bytes, to: name)
        registry = try directory.open()
        #expect(directory.files("checkpoints").isEmpty)
        registry.shutDown()
    }

    @Test("saving a model that has just been deleted leaves no file behind")
    func savedTooLate() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try registry.delete("m")
        #expect(throws: ServingError.unknownModel("m", nearest: [])) { try registry.save(model) }
        #expect(directory.files("checkpoints").isEmpty)
    }

    @Test("a checkpoint from before loss scaling came is refused before it is logged")
    func lossScaling() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        let saved = try registry.save(model)
        try model.patch(["loss_scaling": ["type": "dynamic"]])
        let before = directory.records
        #expect(throws: ServingError.stateMismatch("m")) { try registry.restore(model, saved.id) }
        #expect(directory.records == before)
    }

    @Test("a restore that memory has no room for is reported as that, not as damage")
    func memory() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(memoryLimit: 120_000)
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, [("w", [Float](repeating: 1, count: 5000))])
        let saved = try registry.save(model)
        for _ in 0..<3 { _ = try registry.restore(model, saved.id) }
        // Memory that a restore releases may return a moment later, so the test takes everything that is left more than
        // once.
        var held: [Reservation] = []
        let error = #expect(throws: ServingError.self) {
            for _ in 0..<1000 {
                let left = registry.budget.limit - registry.budget.reserved
                if let taken = try? registry.budget.reserve(left) { held.append(taken) }
                _ = try registry.restore(model, saved.id)
            }
        }
        guard case .outOfMemory = error else { throw error ?? .stopping }
        withExtendedLifetime(held) {}
    }

    @Test("a live model and a replay have the same digest")
    func digest() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...5 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        let answer = Future<String>()
        model.export { answer.fulfil((try? $0.get())?.digest ?? "no memory") }
        let history = HistoryReader(directory.reading, catalogue: .builtin)
        #expect(try history.image(of: "m", atStep: 5)?.digest == answer.wait())
    }

    @Test("a replay says that a model has been deleted since")
    func deleted() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try model.push(RecoveryTests.gradients(1))
        let history = HistoryReader(directory.reading, catalogue: .builtin)
        #expect(try history.image(of: "m", atStep: nil)?.isDeleted == false)
        try registry.delete("m")
        #expect(try history.image(of: "m", atStep: nil)?.isDeleted == true)
        registry.shutDown()
    }

    @Test("a registration tells how far the worker had come")
    func lastSeq() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...3 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        for (epoch, lastSeq) in [(1, 3), (2, 0)] {
            let answer = try model.perform(command: .register(worker: "a")).answer
            #expect(answer == .registered(epoch: epoch, lastSeq: lastSeq))
        }
    }
}

extension TemporaryDirectory {
    /// The number of records in the journal.
    fileprivate var records: Int {
        var count = 0
        try? Journal.read(directory: path + "/journal") { _ in count += 1 }
        return count
    }
}
