// The averages of parameters: PyTorch's results in Golden/averages, bits computed by hand in float32, and definitions.

import CKernels
import Names
import Testing

@testable import Optimizers

@Suite("Averages")
struct AverageTests {
    static let cases = GoldenCase.names(in: "averages")

    @Test("every kind is among the cases")
    func completeness() throws {
        let kinds = try Self.cases.flatMap { name in
            try GoldenCase.read(name, folder: "averages")["definition"]?["averages"]?.entries.map(\.key) ?? []
        }
        #expect(Set(kinds) == Set(Average.Kind.allCases.map(\.name)))
    }

    @Test("follow PyTorch's AveragedModel at every step", arguments: cases)
    func golden(_ name: String) throws {
        let golden = try GoldenCase.read(name, folder: "averages")
        let replay = try Replay(partial: try #require(golden["definition"]))
        var averages = AveragesOfTest(replay)
        for (step, record) in (golden["steps"]?.elements ?? []).enumerated() {
            try replay.push(replay.gradients(golden: record["gradients"] ?? .null))
            averages.takeIn(replay)
            #expect(averages.started == Set(record["averages"]?.entries.map(\.key) ?? []), "step \(step)")
            for average in record["averages"]?.entries ?? [] {
                for entry in average.value.entries {
                    let (values, reference) = (averages[average.key, entry.key], GoldenCase.values(entry.value))
                    let stray = zip(values, reference).first { !GoldenTests.isNear($0, $1) }
                    #expect(values.count == reference.count && stray == nil, "step \(step), \(entry.key)")
                }
            }
        }
    }

    @Test("a parameter that is not trained is copied, as torch does with buffers")
    func untrained() throws {
        let parameters = ["a", "b"].compactMap { name in
            Shape([2]).map { ParameterDefinition(name: Name(name), shape: $0, isTrainable: name == "a") }
        }
        let definition = try SettingJSON.read(
            #"{"optimizer":"SGD","learning_rate":1,"averages":{"ema":{"decay":0.75}}}"#)
        let replay = try Replay(definition, parameters, values: ["a": [1, 2], "b": [3, 4]])
        var averages = AveragesOfTest(replay)
        averages.takeIn(replay)
        replay.set("a", [5, 6])
        replay.set("b", [7, 8])
        replay.optimizer.state.step = 1
        averages.takeIn(replay)
        // 1 + (5 - 1) / 4, 2 + (6 - 2) / 4
        #expect(averages["ema", "a"] == [2, 3])
        #expect(averages["ema", "b"] == [7, 8])
    }
}

/// The averages of a replay, with their values.
private struct AveragesOfTest {
    private let optimizer: ModelOptimizer
    private var updates: [Int]
    private var values: [FloatBuffer]

    init(_ replay: Replay) {
        optimizer = replay.optimizer
        updates = optimizer.plan.averages.map { _ in 0 }
        values = updates.map { _ in FloatBuffer(owed: replay.optimizer.layout.count) }
    }

    /// The averages that have taken in an update.
    var started: Set<Name> {
        Set(zip(optimizer.plan.averages, updates).filter { $1 > 0 }.map { $0.0.kind.name })
    }

    subscript(kind: Name, parameter: Name) -> [Float] {
        guard let place = optimizer.plan.averages.firstIndex(where: { $0.kind.name == kind }),
            let index = optimizer.layout.index(of: parameter)
        else { return [] }
        return Array(values[place][optimizer.layout.parameters[index].range])
    }

    /// Takes in the update that the replay has just made; before the first one, its values.
    mutating func takeIn(_ replay: Replay) {
        for (place, average) in optimizer.plan.averages.enumerated()
        where average.isDue(at: max(1, optimizer.step)) {
            let next = FloatBuffer(owed: values[place].count)
            average.update(
                from: values[place].base, updates: updates[place], with: replay.current.base, to: next.base,
                optimizer.layout)
            (values[place], updates[place]) = (next, updates[place] + 1)
        }
    }
}

@Suite("Kernels of averages")
struct AverageKernelTests {
    /// Odd counts: full vectors and a partial one.
    static let count = 37

    private func run(
        _ kernel: (pk_isa, UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
    ) -> [[UInt32]] {
        let (one, other) = (FloatBuffer(owed: Self.count), FloatBuffer(owed: Self.count))
        Noise.fill(one, seed: 1)
        Noise.fill(other, seed: 2)
        return KernelTests.isas.map { isa in
            let next = FloatBuffer(owed: Self.count + 1)
            next.fill(.nan)
            kernel(isa, one.base, other.base, next.base)
            #expect(next.base[Self.count].isNaN, "it writes no further than asked")
            return next[0..<Self.count].map(\.bitPattern)
        }
    }

    @Test("give equal bits on each instruction set, and those of the formula")
    func equalBits() {
        let (one, other) = (FloatBuffer(owed: Self.count), FloatBuffer(owed: Self.count))
        Noise.fill(one, seed: 1)
        Noise.fill(other, seed: 2)
        let pairs = zip(one[0..<Self.count], other[0..<Self.count])
        // Two statements, so that no multiplication is fused with an addition.
        let lerp = pairs.map { a, b in
            let part = (b - a) * Float(0.1)
            return (a + part).bitPattern
        }
        let mean = pairs.map { a, b in (a + (b - a) / 7).bitPattern }
        for bits in run({ pk_lerp($0, $1, $2, 0.1, $3, Self.count) }) { #expect(bits == lerp) }
        for bits in run({ pk_running_mean($0, $1, $2, 7, $3, Self.count) }) { #expect(bits == mean) }
    }

    @Test("stay finite where the difference of two float32 is not")
    func overflow() {
        let (low, high) = (FloatBuffer(owed: 1), FloatBuffer(owed: 1))
        (low.base[0], high.base[0]) = (-3e38, 3e38)
        let next = FloatBuffer(owed: 1)
        for isa in KernelTests.isas {
            pk_lerp(isa, low.base, high.base, 0.25, next.base, 1)
            #expect(abs(next.base[0] - -1.5e38) < 1e32)
            pk_running_mean(isa, low.base, high.base, 2, next.base, 1)
            #expect(abs(next.base[0]) < 1e32)
        }
    }

    @Test("a decay of 0 is the parameter itself, a decay of 1 the first value")
    func ends() throws {
        for (decay, expected) in [(0, Float(0.3)), (1, 0.1)] {
            let replay = try Replay(
                #"{"optimizer":"SGD","learning_rate":1,"averages":{"ema":{"decay":\#(decay)}}}"#, ["w": [0.1]])
            let average = try #require(replay.optimizer.plan.averages.first)
            let (values, weights, next) = (FloatBuffer(owed: 1), FloatBuffer(owed: 1), FloatBuffer(owed: 1))
            (values.base[0], weights.base[0]) = (0.1, 0.3)
            average.update(
                from: values.base, updates: 3, with: weights.base, to: next.base, replay.optimizer.layout)
            #expect(next.base[0] == expected)
        }
    }
}

@Suite("Definitions of averages")
struct AverageDefinitionTests {
    private func averages(_ text: String) throws -> [Average] {
        try Replay(#"{"optimizer":"SGD","learning_rate":1,"averages":\#(text)}"#, ["w": [1]]).optimizer.plan.averages
    }

    @Test("defaults are decay 0.999, start 0 and every 1; the order is that of the kinds")
    func defaults() throws {
        #expect(try averages("{}").isEmpty)
        let both = try averages(#"{"swa":{},"ema":{}}"#)
        #expect(both == (try averages(#"{"ema":{"decay":0.999,"start":0},"swa":{"start":0,"every":1}}"#)))
        #expect(both.map(\.kind) == [.ema, .swa])
    }

    @Test("updates that count: from start on, every so many")
    func due() throws {
        let swa = try averages(#"{"swa":{"start":3,"every":2}}"#)[0]
        #expect((0...9).filter(swa.isDue) == [3, 5, 7, 9])
        #expect([0, 2, 3, 4, 5].map(swa.nextUpdate) == [3, 3, 5, 5, 7])
        let ema = try averages(#"{"ema":{}}"#)[0]
        #expect((0...3).filter(ema.isDue) == [1, 2, 3] && ema.nextUpdate(after: 0) == 1)
        let rare = try averages(#"{"swa":{"every":4}}"#)[0]
        #expect((0...9).filter(rare.isDue) == [4, 8] && rare.nextUpdate(after: 4) == 8)
    }

    @Test(
        "mistakes name their place and what to write",
        arguments: [
            ("[]", "/averages", "object"), (#"{"emma":{}}"#, "/averages/emma", "`ema`"),
            (#"{"ema":0.9}"#, "/averages/ema", "decay"), (#"{"ema":{"decay":1.5}}"#, "/averages/ema/decay", "0 to 1"),
            (#"{"ema":{"every":2}}"#, "/averages/ema/every", "no `every`"),
            (#"{"swa":{"every":0}}"#, "/averages/swa/every", ">= 1"),
            (#"{"swa":{"start":-1}}"#, "/averages/swa/start", ">= 0"),
            (#"{"swa":{"start":9007199254740992}}"#, "/averages/swa/start", "2^53"),
            (#"{"swa":{"start":true}}"#, "/averages/swa/start", "integer"),
        ])
    func mistakes(_ text: String, _ pointer: String, _ words: String) throws {
        let error = try #require(throws: OptimizerError.self) { _ = try averages(text) }
        guard case .invalid(let complaint) = error else { throw error }
        #expect(complaint.pointer == pointer && complaint.detail.contains(words), "\(complaint)")
    }

    @Test("defaults written out are the same definition; other numbers are not; without averages nothing is added")
    func canonical() throws {
        func form(_ members: String) throws -> SettingValue {
            let shape = try #require(Shape([1]))
            return try Catalogue.builtin.canonical(
                try SettingJSON.read(#"{"optimizer":"SGD","learning_rate":1\#(members)}"#),
                parameters: [ParameterDefinition(name: "w", shape: shape)])
        }
        let short = try form(#","averages":{"ema":{}}"#)
        #expect(short == (try form(#","averages":{"ema":{"start":0,"decay":0.999}}"#)))
        #expect(short != (try form(#","averages":{"ema":{"decay":0.99}}"#)))
        #expect(short != (try form(#","averages":{"ema":{},"swa":{}}"#)))
        #expect(try form(#","averages":{}"#) == form(""))
        #expect(try form("")["averages"] == nil)
    }
}
