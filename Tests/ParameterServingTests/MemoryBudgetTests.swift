// Sixty bytes must not allocate terabytes: sizes are asked for before anything is allocated, with products that cannot
// overflow.

import Glibc
import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Memory budget")
struct MemoryBudgetTests {
    private func source(_ optimizer: Setting, _ dimensions: [Int], copies: Int = 1) throws -> ModelSource {
        let shape = try #require(Shape(dimensions))
        let parameters = (0..<copies).map {
            InitialParameter(
                definition: ParameterDefinition(name: Name("w\($0)"), shape: shape, isTrainable: true),
                value: .initializer("zeros"))
        }
        return .definition(ModelDefinition(settings: ["optimizer": optimizer], parameters: parameters))
    }

    @Test("what was reserved comes back with the last reference, and more than the limit never goes out")
    func reservations() throws {
        let budget = MemoryBudget(limit: 100)
        var first: Reservation? = try budget.reserve(60)
        #expect(throws: ServingError.outOfMemory(needed: 41, limit: 100)) { try budget.reserve(41) }
        #expect(throws: ServingError.self) { try budget.reserve(.max) }
        #expect(throws: ServingError.self) { try budget.reserve(-1) }
        #expect(first?.bytes == 60 && budget.reserved == 60)
        first = nil
        #expect(budget.reserved == 0)
    }

    @Test(
        "a model beyond the budget is refused and leaves nothing reserved",
        arguments: ["sgd", "adam"], [[1 << 20], [1 << 40], [1 << 28, 1 << 28], [Int.max / 64]])
    func tooLarge(optimizer: String, dimensions: [Int]) throws {
        try Place.memory.withRegistry(memoryLimit: 1 << 20) { registry in
            let source = try source(.string(optimizer), dimensions)
            #expect(throws: ServingError.self) { try registry.create("m", source) }
            #expect(registry.budget.reserved == 0)
            #expect(registry.list().isEmpty)
        }
    }

    @Test(
        "a shape whose bytes could not be counted is no shape, though an extent of 0 may hide it",
        arguments: [
            [Int.max], [1 << 31, 1 << 31], [Int.max / 4 + 1], [0, 1 << 40, 1 << 40], [1 << 62, 0, 4], [-1, 0],
        ])
    func impossibleShape(dimensions: [Int]) {
        #expect(Shape(dimensions) == nil)
    }

    @Test("many parameters whose sum overflows are refused", arguments: ["sgd", "adam"])
    func sumOverflows(optimizer: String) throws {
        try Place.memory.withRegistry(memoryLimit: .max) { registry in
            let source = try source(.string(optimizer), [Int.max / 64], copies: 65)
            #expect(throws: ServingError.self) { try registry.create("m", source) }
            #expect(registry.list().isEmpty)
        }
    }

    @Test("a deleted model gives its memory back")
    func givesBack() throws {
        try Place.memory.withRegistry { registry in
            _ = try registry.create("m", try source("adam", [1000]))
            #expect(registry.budget.reserved >= 12_000)
            try registry.delete("m")
            // The executor lets go of the model just after the answer.
            for _ in 0..<60_000 where registry.budget.reserved > 0 { usleep(1000) }
            #expect(registry.budget.reserved == 0)
        }
    }

    @Test("a patch that adds a slot asks the budget, so that what runs can also be opened again")
    func patchedSlot() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000))]
        let directory = try TemporaryDirectory()
        // The values of the first version, Adam's two slots, and no third.
        var registry = try directory.open(memoryLimit: 14_000)
        let model = try registry.make(["optimizer": "adam"], values)
        let before = registry.budget.reserved
        let patch: Setting = ["optimizer": ["type": "adam", "use_amsgrad": true]]
        #expect(throws: ServingError.outOfMemory(needed: 4000, limit: 14_000)) { try model.patch(patch) }
        #expect(registry.budget.reserved == before)
        registry.shutDown()

        registry = try directory.open(memoryLimit: 20_000)
        let again = try registry.model(named: "m")
        for _ in 0..<3 {
            try again.patch(patch)
            #expect(registry.budget.reserved == before + 4000)
            try again.patch(["optimizer": ["type": "adam", "use_amsgrad": false]])
            #expect(registry.budget.reserved == before)
        }
        registry.shutDown()
    }

    @Test("records that wait in a recovery leave room for the models that were created after them")
    func recovery() throws {
        let directory = try TemporaryDirectory()
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000)), ("v", [1])]
        var registry = try directory.open(memoryLimit: 64_000)
        let model = try registry.make(["optimizer": "sgd"], values)
        for number in 1...300 { try model.push(["v": [Float(number)]]) }
        _ = try registry.make(["optimizer": "sgd"], values, name: "later")
        let digest = model.digest
        registry.shutDown()
        for _ in 0..<10 {
            registry = try directory.open(memoryLimit: 64_000)
            #expect(try registry.model(named: "m").digest == digest && registry.list().count == 2)
            registry.shutDown()
        }
    }

    @Test("models that were deleted need no room when the daemon comes back", arguments: 0..<3)
    func deletedModels(_: Int) throws {
        let directory = try TemporaryDirectory()
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000))]
        var registry = try directory.open(memoryLimit: 64_000)
        for number in 1...20 {
            try registry.make(["optimizer": "adam"], values, name: "m").push(["w": values[0].1])
            if number < 20 { try registry.delete("m") }
        }
        registry.shutDown()
        registry = try directory.open(memoryLimit: 64_000)
        #expect(try registry.model(named: "m").publication.current.step == 1)
        registry.shutDown()
    }
}
