// Sixty bytes must not allocate terabytes: the server reserves a size before it allocates anything, with products that
// cannot overflow.

import Glibc
import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Memory budget")
struct MemoryBudgetTests {
    private func source(_ optimizer: SettingValue, _ dimensions: [Int], copies: Int = 1) throws -> ModelSource {
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

    @Test("what is owed counts, and a reservation grows and shrinks")
    func owed() throws {
        let budget = MemoryBudget(limit: 100)
        let first = try budget.reserve(60)
        #expect(throws: ServingError.outOfMemory(needed: 101, limit: 100)) { try first.grow(by: 41) }
        try first.grow(by: 40)
        first.shrink(to: 10)
        #expect(first.bytes == 10 && budget.reserved == 10)
        let debt = budget.owe(200)
        #expect(budget.reserved == 210)
        #expect(throws: ServingError.outOfMemory(needed: 1, limit: 100)) { try budget.reserve(1) }
        withExtendedLifetime(debt) {}
    }

    @Test("a version that a reader holds stays counted, and a push without room for its version is not logged")
    func pinned() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000))]
        try Place.memory.withRegistry(memoryLimit: 20_000) { registry in
            let model = try registry.make(["optimizer": "sgd"], values)
            var held: [PublishedVersion] = []
            let refused = try (0..<10).map { _ in
                held.append(model.publication.current)
                do {
                    try model.push(["w": values[0].1])
                    return false
                } catch ServingError.outOfMemory {
                    return true
                }
            }
            // Five arenas at most: for the first version, for the push, and for the versions that the budget has room
            // for.
            let applied = refused.prefix { !$0 }.count
            #expect((1...3).contains(applied) && !refused.dropFirst(applied).contains(false))
            #expect(model.publication.current.step == applied && registry.budget.reserved <= 20_000)
            held = []
            try model.push(["w": values[0].1])
            #expect(model.publication.current.step == applied + 1)
        }
    }

    @Test("a buffer that was not paid for in full is not kept for others")
    func partlyPaid() throws {
        let budget = MemoryBudget(limit: 8 << 20)
        let pool = ArenaPool(count: 1 << 20, budget: budget)
        var arena: Arena? = try pool.takeGrowing()
        #expect(budget.reserved == 0)
        try arena?.pay(for: 10)
        #expect(budget.reserved == 1 << 20)
        try arena?.pay(for: 3 << 20)
        #expect(budget.reserved == 3 << 20)
        arena = nil
        #expect(budget.reserved == 0)
        arena = try pool.takeGrowing()
        try arena?.payInFull()
        arena = nil
        #expect(budget.reserved == 4 << 20)
        // The pool returns the kept buffer when others need the memory.
        _ = try budget.reserve(8 << 20)
        #expect(budget.reserved == 0)
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
            // The executor drops the model just after the answer.
            for _ in 0..<60_000 where registry.budget.reserved > 0 { usleep(1000) }
            #expect(registry.budget.reserved == 0)
        }
    }

    @Test("a patch that adds a slot asks the budget, so that what runs can also be opened again")
    func patchedSlot() throws {
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000))]
        let directory = try TemporaryDirectory()
        var registry = try directory.open(memoryLimit: 40_000)
        let model = try registry.make(["optimizer": "adam"], values)
        // The values of the first version, Adam's two slots, and no room for a third.
        let rest = try registry.budget.reserve(40_000 - registry.budget.reserved - 3999)
        let before = registry.budget.reserved - rest.bytes
        let patch: SettingValue = ["optimizer": ["type": "adam", "use_amsgrad": true]]
        #expect(throws: ServingError.outOfMemory(needed: 4000, limit: 40_000)) { try model.patch(patch) }
        #expect(registry.budget.reserved - rest.bytes == before)
        registry.shutDown()

        registry = try directory.open(memoryLimit: 40_000)
        let again = try registry.model(named: "m")
        for _ in 0..<3 {
            try again.patch(patch)
            // The events of the patches take whole pages.
            let with = registry.budget.reserved - before - 4000
            #expect((0...4 * KeptMemory.page).contains(with) && with % KeptMemory.page == 0)
            try again.patch(["optimizer": ["type": "adam", "use_amsgrad": false]])
            let without = registry.budget.reserved - before
            #expect((0...4 * KeptMemory.page).contains(without) && without % KeptMemory.page == 0)
        }
        registry.shutDown()
    }

    @Test("a model that could never take a push is refused, with what it needs", arguments: ["sgd", "adam", "lamb"])
    func neverSteps(optimizer: String) throws {
        // 200,000 bytes of values; SGD has one slot of that size, Adam two, and Lamb two and a copy of each.
        let (values, slots) = (200_000, ["sgd": 200_000, "adam": 400_000, "lamb": 800_000][optimizer] ?? 0)
        let settings: SettingValue = ["optimizer": .string(optimizer), "learning_rate": 0.5]
        let least = 3 * values + slots
        for (limit, isTaken) in [(least - 1, false), (least + 10_000, true)] {
            try Place.memory.withRegistry(memoryLimit: limit) { registry in
                let ones = [Float](repeating: 1, count: 50_000)
                guard !isTaken else {
                    try registry.make(settings, [(Name("w"), ones)]).push(["w": ones])
                    return
                }
                let source = ModelSource.definition(.of(settings, [(Name("w"), ones)]))
                let error = #expect(throws: ServingError.self) { try registry.create("m", source) }
                guard case .tooLargeToStep(let needed, limit) = error else { throw error ?? .stopping }
                #expect((least...least + 10_000).contains(needed))
                #expect(registry.budget.reserved == 0)
            }
        }
    }

    @Test("a model of a directory is served under a limit that lets it take no push, and the push says so")
    func servedThough() throws {
        let directory = try TemporaryDirectory()
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 50_000))]
        var registry = try directory.open(memoryLimit: 1 << 20)
        let digest = try registry.make(["optimizer": "sgd"], values).digest
        registry.shutDown()
        registry = try directory.open(memoryLimit: 700_000)
        let model = try registry.model(named: "m")
        #expect(model.digest == digest)
        // The copy made for the digest is released a moment later.
        for _ in 0..<60_000 where registry.budget.reserved > 450_000 { usleep(1000) }
        let error = #expect(throws: ServingError.self) { try model.push(["w": values[0].1]) }
        guard case .tooLargeToStep(let needed, 700_000) = error else { throw error ?? .stopping }
        #expect((800_000...810_000).contains(needed))
        registry.shutDown()
    }

    @Test("an append that would leave no room for a push is refused; what makes a model smaller is not")
    func appendBeyond() throws {
        // A step takes 160,000 bytes, and each rate takes 16.
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 10_000))]
        try Place.memory.withRegistry(memoryLimit: 200_000) { registry in
            let rates = SettingValue.numbers([Double](repeating: 0.5, count: 1000))
            let model = try registry.make(["optimizer": "sgd", "learning_rate": rates], values)
            let more = SettingValue.numbers([Double](repeating: 0.5, count: 5000))
            let error = #expect(throws: ServingError.self) { try model.patch(["learning_rate": ["append": more]]) }
            guard case .tooLargeToStep(let needed, 200_000) = error else { throw error ?? .stopping }
            #expect((256_000...266_000).contains(needed))
            try model.push(["w": values[0].1])
            try model.patch(["learning_rate": 0.5])
        }
    }

    @Test("records that wait in a recovery leave room for the models that were created after them")
    func recovery() throws {
        let directory = try TemporaryDirectory()
        let values: [(Name, [Float])] = [("w", [Float](repeating: 1, count: 1000)), ("v", [1])]
        // Charts of 300 pushes take about 50,000 bytes.
        var registry = try directory.open(memoryLimit: 160_000)
        let model = try registry.make(["optimizer": "sgd"], values)
        for number in 1...300 { try model.push(["v": [Float(number)]]) }
        _ = try registry.make(["optimizer": "sgd"], values, name: "later")
        let digest = model.digest
        registry.shutDown()
        for _ in 0..<10 {
            registry = try directory.open(memoryLimit: 160_000)
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
