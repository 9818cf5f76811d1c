// Reductions that a few wrong workers cannot spoil. Golden/reductions.json has NumPy's results
// (Reference/reductions.py); the rest is worked out by hand.

import CKernels
import Names
import Testing

@testable import Optimizers

@Suite("Robust reductions")
struct RobustReductionTests {
    private static let reductions: [Name: Reduction] = [
        "mean": .mean, "sum": .sum, "weighted": .weighted, "median": .median,
        "trimmed_mean 0.1": .trimmedMean(trim: 0.1), "trimmed_mean 0.34": .trimmedMean(trim: 0.34),
        "krum 0": .krum(byzantine: 0), "krum 1": .krum(byzantine: 1), "krum 2": .krum(byzantine: 2),
        "krum 3": .krum(byzantine: 3), "krum 4": .krum(byzantine: 4), "krum 5": .krum(byzantine: 5),
    ]

    @Test("give NumPy's numbers, dense and as rows, for 1 to 13 workers", arguments: 0..<8)
    func recorded(_ place: Int) throws {
        let cases = try #require(try SettingJSON.read(GoldenCase.bytes("reductions")).elements)
        #expect(cases.count == 8)
        let record = cases[place]
        guard case .numbers(let weights)? = record["weights"] else { return #expect(Bool(false), "no weights") }
        let gradients = (record["gradients"]?.elements ?? []).map(Self.floats)
        let round = try Round(["w": [19]])
        let dense = zip(gradients, weights).map { round.contribution(["w": .dense($0)], weight: $1) }
        let rows = zip(gradients, weights).map {
            round.contribution(["w": .rows(Array(0..<19).reversed(), $0.reversed())], weight: $1)
        }
        let expected = record["expected"]?.entries ?? []
        for entry in expected {
            let reduction = try #require(Self.reductions[entry.key])
            let numbers = Self.floats(entry.value)
            #expect(round.dense(round.reduced(dense, by: reduction), "w") == numbers, "\(entry.key)")
            let sparse = round.reduced(rows, by: reduction)
            #expect(round.rows(sparse, "w")?.values == numbers, "\(entry.key), rows")
        }
        let krums = gradients.count < 3 ? 0 : (gradients.count - 1) / 2
        #expect(expected.count == 6 + krums && gradients.count == weights.count)
    }

    private static func floats(_ setting: SettingValue) -> [Float] {
        guard case .numbers(let values) = setting else { return [] }
        return values.map { Float($0) }
    }

    @Test("count missing gradients and rows as zero")
    func missing() throws {
        let round = try Round(["a": [1], "b": [3, 1]])
        let contributions = [
            round.contribution(["a": .dense([5]), "b": .rows([1, 2], [4, 1])]),
            round.contribution(["a": .dense([2])]),
            round.contribution(["b": .rows([2, 2], [2, 1])]),
        ]
        let median = round.reduced(contributions, by: .median)
        // a: 5, 2, 0; row 1 of b: 4, 0, 0; row 2: 1, 0, 3.
        #expect(round.dense(median, "a") == [2])
        #expect(round.rows(median, "b")?.rows == [1, 2] && round.rows(median, "b")?.values == [0, 1])
        let trimmed = round.reduced(contributions, by: .trimmedMean(trim: 0.4))
        #expect(round.dense(trimmed, "a") == [2] && round.rows(trimmed, "b")?.values == [0, 1])
    }

    @Test("give the same numbers where most contributions have no row as where they have zeros", arguments: 3...9)
    func absent(_ count: Int) throws {
        let round = try Round(["w": [6, 3]])
        // Contribution n has the rows from n on; the values of odd rows are negative.
        func value(_ place: Int, _ row: Int, _ column: Int) -> Float {
            let size = 1 + place * 7 % 5 + column
            return Float(row % 2 == 0 ? size : -size)
        }
        func contribution(_ place: Int, isDense: Bool) -> Contribution {
            let rows = Array(min(place, 5)..<6)
            let values = (isDense ? Array(0..<6) : rows).flatMap { row -> [Float] in
                (0..<3).map { rows.contains(row) ? value(place, row, $0) : 0 }
            }
            return round.contribution(
                ["w": isDense ? .dense(values) : .rows(rows, values)], weight: Double(place + 1))
        }
        let sparse = (0..<count).map { contribution($0, isDense: false) }
        let zeros = (0..<count).map { contribution($0, isDense: true) }
        for (name, reduction) in Self.reductions {
            let expected = round.dense(round.reduced(zeros, by: reduction), "w")
            #expect(round.rows(round.reduced(sparse, by: reduction), "w")?.values == expected, "\(name)")
            let mixed = [sparse[0]] + zeros[1...]
            #expect(round.dense(round.reduced(mixed, by: reduction), "w") == expected, "\(name), mixed")
        }
    }

    @Test("take the middle of values of both signs and of the zeros of contributions without the row")
    func signs() throws {
        let round = try Round(["w": [1, 4]])
        let contributions = [[-4, -1, 5, -6], [-2, 3, 6, -7], [-3, 2, -1, 8]].map {
            round.contribution(["w": .rows([0], $0)])
        }
        let absent = (0..<2).map { _ in round.contribution([:]) }
        // -4 -3 -2 0 0, then -1 0 0 2 3, then -1 0 0 5 6, then -7 -6 0 0 8.
        let all = contributions + absent
        #expect(round.rows(round.reduced(all, by: .median), "w")?.values == [-2, 0, 0, 0])
        #expect(
            round.rows(round.reduced(all, by: .trimmedMean(trim: 0.2)), "w")?.values
                == [Float(-5.0 / 3), Float(2.0 / 3), Float(5.0 / 3), -2])
    }

    @Test("krum takes one contribution whole, the first of equals, and zeros where it has nothing")
    func krum() throws {
        let round = try Round(["a": [1], "b": [3, 1]])
        let contributions = [
            round.contribution(["a": .dense([1000])]),
            round.contribution(["a": .dense([1]), "b": .rows([1], [1])]),
            round.contribution(["a": .dense([1]), "b": .rows([1], [1])]),
            round.contribution(["a": .dense([1.5]), "b": .rows([2], [1])]),
            round.contribution(["a": .dense([2]), "b": .rows([0], [7])]),
        ]
        let krum = round.reduced(contributions, by: .krum(byzantine: 1))
        #expect(round.dense(krum, "a") == [1])
        #expect(round.rows(krum, "b")?.rows == [0, 1, 2] && round.rows(krum, "b")?.values == [0, 1, 0])
        // Two neighbours: 0 + 0.25 of the second and third, 0.25 + 0.25 of the fourth, 0.25 + 1 of the fifth.
        let alone = [1000, 1, 1, 1.5, 2].map { round.contribution(["a": .dense([$0])]) }
        #expect(round.dense(round.reduced(alone, by: .krum(byzantine: 1)), "a") == [1])
        // With fewer than 3 contributions one neighbour counts, and one contribution is the result.
        #expect(round.dense(round.reduced(Array(alone[3...]), by: .krum(byzantine: 1)), "a") == [1.5])
        #expect(round.dense(round.reduced([alone[4]], by: .krum(byzantine: 1)), "a") == [2])
        #expect(round.dense(round.reduced([], by: .krum(byzantine: 1)), "a") == nil)
    }

    @Test("krum measures unscaled gradients that are clipped per worker", arguments: [1, 2] as [Double])
    func krumOfClipped(_ scale: Double) throws {
        let round = try Round(["a": [2]])
        // Clipped to 1 the first two are the same direction, and nearest to each other.
        let contributions = [[100, 0], [1, 0], [0, 1], [0, 0.2], [-0.9, 0]].map {
            round.contribution(["a": .dense($0.map { $0 * Float(scale) })])
        }
        let clip = try GradientClip(SettingJSON.read(#"{"value":1,"per":"worker"}"#), pointer: "/clip")
        let arena = FloatBuffer(owed: 2)
        let krum = Reduction.krum(byzantine: 2).combine(
            contributions, scale: scale, clip: clip, into: arena, layout: round.layout
        ).gradients
        #expect(round.dense(krum, "a") == [1, 0])
        #expect(round.dense(round.reduced(contributions, by: .krum(byzantine: 2), scale: scale), "a") == [0, 1])
    }

    @Test("have the same bits on every instruction set of this machine", arguments: [1, 16, 77])
    func sameBits(_ count: Int) {
        let results = KernelTests.isas.map { isa -> [UInt64] in
            let buffers = (0..<6).map { seed in
                let buffer = FloatBuffer(owed: count)
                Noise.fill(buffer, seed: UInt64(seed))
                return buffer
            }
            let sources = buffers.map { pk_source(values: UnsafePointer($0.base), factor: 1 / 3.0, weight: 1) }
            var scratch = [Double](repeating: 0, count: 16 * 6)
            let target = FloatBuffer(owed: count)
            pk_trimmed_mean(isa, sources, 6, 2, 0.25, 1, &scratch, target.base, count)
            let distance = sources.withUnsafeBufferPointer { sources -> Double in
                guard let base = sources.baseAddress else { return .nan }
                return pk_squared_distance(isa, base, base + 1, 0.25, count)
            }
            return target[0..<count].map { UInt64($0.bitPattern) } + [distance.bitPattern]
        }
        #expect(Set(results).count == 1)
    }
}

@Suite("The member reduce")
struct ReductionReadingTests {
    private static func read(_ json: String) throws -> Reduction {
        let settings = SettingReader(try SettingJSON.read(json), pointer: "/consistency", owner: "`consistency`")
        let reduction = try Reduction(settings)
        try settings.finish(.keyError)
        return reduction
    }

    @Test(
        "names a reduction with its arguments",
        arguments: [
            ("{}", Reduction.mean), (#"{"reduce":"mean"}"#, .mean), (#"{"reduce":"sum"}"#, .sum),
            (#"{"reduce":"weighted"}"#, .weighted), (#"{"reduce":"median"}"#, .median),
            (#"{"reduce":"trimmed_mean"}"#, .trimmedMean(trim: 0.1)),
            (#"{"reduce":"trimmed_mean","trim":0.25}"#, .trimmedMean(trim: 0.25)),
            (#"{"reduce":"krum","byzantine":2}"#, .krum(byzantine: 2)),
        ])
    func accepted(_ json: String, _ reduction: Reduction) throws {
        #expect(try Self.read(json) == reduction)
        let written = SettingValue.object(reduction.members.map { SettingValue.Entry(key: $0.0, value: $0.1) })
        let reader = SettingReader(written, pointer: "", owner: "`consistency`")
        #expect(try Reduction(reader) == reduction)
        #expect(written.entries.count == (["trim", "byzantine"].contains { written[$0] != nil } ? 2 : 1))
    }

    @Test(
        "is refused with the mistake and what to write",
        arguments: [
            (#"{"reduce":"avg"}"#, ExceptionClass.valueError, "reduce", "\"mean\""),
            (#"{"reduce":1}"#, .typeError, "reduce", "\"trimmed_mean\""),
            (#"{"reduce":"trimmed_mean","trim":0.5}"#, .valueError, "trim", "from 0 to below 0.5"),
            (#"{"reduce":"trimmed_mean","trim":"x"}"#, .typeError, "trim", "from 0 to below 0.5"),
            (#"{"reduce":"krum"}"#, .typeError, "byzantine", "needs `byzantine`"),
            (#"{"reduce":"krum","byzantine":-1}"#, .valueError, "byzantine", "an integer >= 0"),
            (#"{"reduce":"krum","byzantine":0.5}"#, .typeError, "byzantine", "an integer >= 0"),
            (#"{"reduce":"mean","trim":0.1}"#, .keyError, "trim", #""reduce":"trimmed_mean""#),
            (#"{"reduce":"median","byzantine":1}"#, .keyError, "byzantine", #""reduce":"krum""#),
            (#"{"reduce":"krum","byzantine":1,"trim":0.1}"#, .keyError, "trim", #""reduce":"trimmed_mean""#),
        ])
    func refused(_ json: String, _ exception: ExceptionClass, _ member: String, _ words: String) throws {
        do {
            _ = try Self.read(json)
            Issue.record("accepted")
        } catch OptimizerError.invalid(let complaint) {
            #expect(complaint.exception == exception && complaint.pointer == "/consistency/\(member)")
            #expect(complaint.detail.contains(words), "\(complaint.detail)")
        }
    }

    @Test("of krum needs two pushes for each wrong one, and three more")
    func pushes() throws {
        try Reduction.krum(byzantine: 1).check(pushes: 5, at: "/consistency/workers")
        try Reduction.median.check(pushes: 1, at: "/consistency/workers")
        for (byzantine, workers) in [(1, 4), (0, 2), (0, -1), (Int.max, 5), (Int.max / 2, Int.max)] {
            do {
                try Reduction.krum(byzantine: byzantine).check(pushes: workers, at: "/consistency/workers")
                Issue.record("accepted")
            } catch OptimizerError.invalid(let complaint) {
                #expect(complaint.exception == .valueError && complaint.pointer == "/consistency/workers")
            }
        }
    }

    @Test(
        "the fewest pushes of a round are those of which one is left out on each side, or 2 byzantine + 3",
        arguments: [
            (.mean, 1), (.sum, 1), (.weighted, 1), (.median, 1), (.krum(byzantine: 0), 3), (.krum(byzantine: 2), 7),
            (.krum(byzantine: .max), .max), (.trimmedMean(trim: 0), 1), (.trimmedMean(trim: 0.1), 10),
            (.trimmedMean(trim: 0.25), 4), (.trimmedMean(trim: 1.0 / 3), 3), (.trimmedMean(trim: 0.49), 3),
            (.trimmedMean(trim: 0.07), 15), (.trimmedMean(trim: 1.0 / 49), 50), (.trimmedMean(trim: 1e-300), .max),
        ] as [(Reduction, Int)])
    func least(_ reduction: Reduction, _ pushes: Int) { #expect(reduction.leastPushes == pushes) }
}
