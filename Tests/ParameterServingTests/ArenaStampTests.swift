// A version's buffer is reused for a later version, and values that are still valid are not copied. In all cases every
// parameter must have the value of plain arithmetic: SGD by hand, w - lr * g.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Recycled arenas")
struct ArenaStampTests {
    private static let names: [Name] = ["a", "b", "c"]
    private static let sgd: SettingValue = ["optimizer": "sgd", "learning_rate": 0.5]
    private static let start = names.map { ($0, [Float](repeating: 1, count: 2)) }

    @Test("pushes and imports to parts of a model add up", arguments: UInt64(1)...8)
    func parts(seed: UInt64) throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, Self.start)
            var random = seed &* 0x9E37_79B9_7F4A_7C15
            var expected = Dictionary(uniqueKeysWithValues: Self.start)
            var kept: [(PublishedVersion, [Name: [Float]])] = []
            for step in 1...60 {
                random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let choice = random >> 60
                let chosen = Self.names.enumerated().filter { choice & (1 << UInt64($0.offset)) != 0 }.map(\.element)
                let number = Float(step)
                let values = Dictionary(uniqueKeysWithValues: chosen.map { ($0, [number, -number]) })
                if choice & 8 == 0 {
                    try model.push(values)
                    let moved = [-number / 2, number / 2]
                    for name in chosen { expected[name] = expected[name].map { zip($0, moved).map(+) } }
                } else {
                    try model.load(values)
                    expected.merge(values) { $1 }
                }
                #expect(Self.values(of: model.publication.current) == expected)
                // Some readers keep their version for a while.
                if random >> 40 & 3 == 0 { kept.append((model.publication.current, expected)) }
                if kept.count > 3 { kept.removeFirst() }
                for (version, then) in kept { #expect(Self.values(of: version) == then) }
            }
        }
    }

    private static func values(of version: PublishedVersion) -> [Name: [Float]] {
        Dictionary(uniqueKeysWithValues: names.enumerated().map { ($0.element, Array(version.values(at: $0.offset))) })
    }

    @Test("a buffer that holds a parameter's present values is not written there")
    func held() throws {
        let stamps = ArenaStamps(all: 1)
        let second = stamps.after(write: 2, of: [true, false, false])
        let third = second.after(write: 3, of: [true, false, false])
        let fourth = third.after(write: 4, of: [false, true, false])
        #expect(second.matches(third) == [false, true, true])
        #expect(second.matches(fourth) == [false, false, true])
        #expect(stamps.matches(third) == [false, true, true])
        #expect(third.after(write: 5, of: nil).matches(ArenaStamps(all: 5)) == [])
        #expect(fourth.after(write: 5, of: [true, true, true]).matches(fourth) == [false, false, false])
    }

    @Test("a pool that is full keeps what held a version")
    func fullPool() throws {
        let pool = ArenaPool(count: 4, budget: MemoryBudget(limit: 1 << 20))
        var version: Arena? = pool.takeForVersion()
        version?.stamps = ArenaStamps(all: 1)
        var scratch: [Arena] = try (0..<8).map { _ in try pool.take() }
        scratch.removeAll()
        version = nil
        let again = pool.takeForVersion()
        #expect(again.stamps != nil)
        #expect(try pool.take().stamps == nil)
    }

    @Test("a divergence leaves nothing behind in a buffer that is used again")
    func divergence() throws {
        try Place.memory.withRegistry { registry in
            let model = try registry.make(Self.sgd, Self.start)
            try model.push(["a": [2, 2]])
            try model.push(["a": [2, 2]])
            // 1 - 0.5 * -3.4e38, twice, is beyond float32.
            #expect(throws: ServingError.self) {
                for _ in 1...3 { try model.push(["a": [-3.4e38, 0], "b": [5, 5]]) }
            }
            try model.load(["a": [1, 1], "b": [1, 1]])
            try model.push(["c": [2, 2]])
            try model.push(["a": [2, 2]])
            #expect(Self.names.map { model.values($0) } == [[0, 0], [1, 1], [0, 0]])
        }
    }
}
