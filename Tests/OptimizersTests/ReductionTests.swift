// The reductions of a round. Expected numbers are worked out by hand, or by a loop over plain arrays in double.

import CKernels
import Names
import Testing

@testable import Optimizers

@Suite("Reductions")
struct ReductionTests {
    @Test("take the mean, the sum and the mean weighted by examples")
    func dense() throws {
        let round = try Round(["w": [2]])
        let contributions = [
            round.contribution(["w": .dense([1, 2])], weight: 1),
            round.contribution(["w": .dense([3, 5])], weight: 2),
            round.contribution(["w": .dense([8, -1])], weight: 5),
        ]
        let sums: [(Reduction, [Float])] = [(.mean, [4, 2]), (.sum, [12, 6]), (.weighted, [5.875, 0.875])]
        for (reduction, expected) in sums {
            let combined = round.reduced(contributions, by: reduction)
            #expect(round.dense(combined, "w") == expected, "\(reduction)")
            #expect(combined.isFinite && combined.isUnscaled)
        }
        #expect(round.dense(contributions[2].gradients, "w") == [8, -1], "a reduction must not change its sources")
    }

    @Test("add in double and round once, so that integers are exact up to 2^53")
    func precision() throws {
        let round = try Round(["w": [2]])
        let contributions = [[16_777_216, 1e30], [1, 3], [1, -1e30]].map { round.contribution(["w": .dense($0)]) }
        // In float32 2^24 + 1 + 1 is 2^24; in double 1e30 + 3 - 1e30 is 0 in the order given.
        #expect(round.dense(round.reduced(contributions, by: .sum), "w") == [16_777_218, 0])
        let reordered = [contributions[0], contributions[2], contributions[1]]
        #expect(round.dense(round.reduced(reordered, by: .sum), "w") == [16_777_218, 3])
    }

    @Test("count what a contribution lacks as zero, and leave absent what all lack")
    func missing() throws {
        let round = try Round(["a": [1], "b": [1], "c": [3, 2]])
        let contributions = [
            round.contribution(["a": .dense([6]), "c": .rows([2], [2, 4])]),
            round.contribution(["c": .rows([0, 2], [1, 1, 4, 8])]),
        ]
        let combined = round.reduced(contributions, by: .mean)
        #expect(round.dense(combined, "a") == [3])
        #expect(round.dense(combined, "b") == nil && round.rows(combined, "b") == nil)
        let rows = try #require(round.rows(combined, "c"))
        #expect(rows.rows == [0, 2] && rows.values == [0.5, 0.5, 3, 6])
        let weighted = [contributions[0], Contribution(contributions[1].gradients, weight: 3)]
        #expect(round.dense(round.reduced(weighted, by: .weighted), "a") == [1.5])
    }

    @Test("add rows that a contribution names twice, and make a mixture of dense and sparse dense")
    func mixed() throws {
        let round = try Round(["w": [4, 2]])
        let sparse = round.contribution(["w": .rows([3, 1, 3], [1, 2, 10, 20, 4, 8])])
        let rows = try #require(round.rows(round.reduced([sparse], by: .sum), "w"))
        #expect(rows.rows == [1, 3] && rows.values == [10, 20, 5, 10])
        let dense = round.contribution(["w": .dense([1, 2, 3, 4, 5, 6, 7, 8])])
        let combined = round.reduced([sparse, dense], by: .sum)
        #expect(round.dense(combined, "w") == [1, 2, 13, 24, 5, 6, 12, 18])
        #expect(round.rows(combined, "w") == nil)
    }

    @Test(
        "equal a loop in double for dense, sparse and missing gradients", arguments: [Reduction.mean, .sum, .weighted])
    func random(_ reduction: Reduction) throws {
        let round = try Round(["a": [67], "b": [9, 5], "c": [40, 3]])
        let contributions = (0..<7).map { worker in
            round.contribution(
                [
                    "a": worker == 2 ? .rows([66, 0], [0.1, 0.7]) : .dense(Self.noise(67, worker)),
                    "b": .rows([worker, 8 - worker, worker], Self.noise(15, worker + 10)),
                    "c": worker % 3 == 0 ? .dense(Self.noise(120, worker + 20)) : .rows([worker], [1, 2, 3]),
                ], weight: Double(worker + 1))
        }
        let combined = round.reduced(contributions, by: reduction, scale: 3)
        for name: Name in ["a", "b", "c"] {
            let expected = Self.expected(contributions, name, round, reduction, scale: 3)
            if let dense = round.dense(combined, name) {
                #expect(dense == expected, "\(name)")
            } else {
                let (rows, values) = try #require(round.rows(combined, name))
                let width = expected.count / round.layout.parameters[1].shape.dimensions[0]
                #expect(rows == Array(0...8) && width == 5 && values == expected)
            }
        }
    }

    static func noise(_ count: Int, _ seed: Int) -> [Float] {
        let buffer = FloatBuffer(owed: count)
        Noise.fill(buffer, seed: UInt64(seed))
        return Array(buffer[0..<count])
    }

    /// The whole gradient of a parameter, value by value.
    private static func expected(
        _ contributions: [Contribution], _ name: Name, _ round: Round, _ reduction: Reduction, scale: Double
    ) -> [Float] {
        guard let index = round.layout.index(of: name) else { return [] }
        let parameter = round.layout.parameters[index]
        return (0..<parameter.range.count).map { place in
            var (sum, weights) = (0.0, 0.0)
            for contribution in contributions {
                let weight = reduction == .weighted ? contribution.weight : 1
                let value = self.value(contribution.gradients, index, place, parameter)
                sum += Double(value) * Double(Float(1 / scale)) * weight
                weights += weight
            }
            return Float(reduction == .sum ? sum : sum / weights)
        }
    }

    private static func value(_ gradients: Gradients, _ index: Int, _ place: Int, _ parameter: ParameterLayout) -> Float
    {
        if gradients.isDense[index] { return gradients.dense.base[parameter.range.lowerBound + place] }
        guard let rows = gradients.sparse[index] else { return 0 }
        let (row, column) = place.quotientAndRemainder(dividingBy: parameter.shape.rowCount)
        return rows.indices.indices.filter { rows.indices[$0] == row }.reduce(Float(0)) {
            $0 + rows.values.base[$1 * parameter.shape.rowCount + column]
        }
    }

    @Test("are not finite if a contribution is not, or if the sum exceeds float32")
    func nonFinite() throws {
        let round = try Round(["w": [1], "v": [2, 1]])
        let large = round.contribution(["w": .dense([3e38])])
        #expect(!round.reduced([large, large], by: .sum).isFinite)
        #expect(round.reduced([large, large], by: .mean).isFinite)
        let infinite = round.contribution(["v": .rows([1], [.infinity])])
        #expect(!round.reduced([large, infinite], by: .mean).isFinite)
    }

    @Test("of no contribution have no gradient")
    func empty() throws {
        let round = try Round(["w": [1]])
        let combined = round.reduced([], by: .mean)
        #expect(round.dense(combined, "w") == nil && combined.isFinite)
    }

    @Test("need at most the memory that they state")
    func memory() throws {
        let round = try Round(["w": [4, 2]])
        let contributions = [[3, 1, 3], [0, 2, 2]].map { round.contribution(["w": .rows($0, [1, 2, 3, 4, 5, 6])]) }
        let sums = contributions.compactMap { $0.gradients.sparse[0] }.map { OrderedRows($0, width: 2).summed }
        let result = try #require(round.rows(round.reduced(contributions, by: .sum), "w"))
        let values = sums.reduce(result.values.count) { $0 + $1.values.count }
        #expect(sums.count == 2 && result.rows == [0, 1, 2, 3])
        let sum = Reduction.sum.combinedBytes(contributions, in: round.layout)
        #expect(sum >= values * 4 + 6 * 3 * 8 && Reduction.sum.combinedBytes([], in: round.layout) == 0)
        // 16 doubles of each contribution are sorted at a time, and krum has a distance for each pair.
        #expect(Reduction.median.combinedBytes(contributions, in: round.layout) == sum + 2 * 16 * 8)
        #expect(Reduction.krum(byzantine: 0).combinedBytes(contributions, in: round.layout) == sum + 2 * 2 * 8)
    }

    @Test("have the same bits on every instruction set of this machine", arguments: [1, 16, 77])
    func sameBits(_ count: Int) {
        let results = KernelTests.isas.map { isa -> [UInt32] in
            let buffers = (0..<3).map { seed in
                let buffer = FloatBuffer(owed: count)
                Noise.fill(buffer, seed: UInt64(seed))
                return buffer
            }
            let target = FloatBuffer(owed: count)
            let sources = buffers.enumerated().map { place, buffer in
                pk_source(values: UnsafePointer(buffer.base), factor: 1 / 3.0, weight: Double(place) + 0.1)
            }
            pk_combine(isa, sources, 3, 0.25, 3.3, target.base, count)
            return target[0..<count].map(\.bitPattern)
        }
        #expect(Set(results).count == 1)
    }
}

@Suite("Gradients that are unscaled first")
struct UnscaledFirstTests {
    private static func model(_ consistency: String, staged: Bool = false) throws -> Replay {
        let model = try Replay(
            """
            {"optimizer":"sgd","learning_rate":0.1,"weight_decay":0.3,"loss_scale":3,
             "groups":[{"params":["w"],"grad_centralization":true}]\(consistency)}
            """, ["w": [0.3, 0.7]], shapes: ["w": [1, 2]])
        model.optimizer.isStaged = staged
        return model
    }

    @Test("belong to the modes with a reduction; decay is then added as configured", arguments: [false, true])
    func order(_ staged: Bool) throws {
        let modes = [
            "": false, #","consistency":{"mode":"async"}"#: false, #","consistency":{"mode":"sync"}"#: true,
            #","consistency":{"mode":"manual","reduce":"sum"}"#: true,
        ]
        let (w, g): ([Float], [Float]) = ([0.3, 0.7], [1.1, 0.2])
        for (mode, isFirst) in modes {
            let model = try Self.model(mode, staged: staged)
            #expect(model.optimizer.plan.unscalesFirst == isFirst, "\(mode)")
            try model.push(["w": g])
            let third = Float(1.0 / 3)
            let decay = Float(0.3) * (isFirst ? 1 : 3)
            let conditioned = (0..<2).map { w[$0] * decay + (isFirst ? g[$0] * third : g[$0]) }
            let mean = Float((Double(conditioned[0]) + Double(conditioned[1])) / 2)
            let expected = (0..<2).map { w[$0] - 0.1 * ((conditioned[$0] - mean) * (isFirst ? 1 : third)) }
            #expect(model["w"] == expected, "\(mode)")
            #expect(model.optimizer.scaledWeightDecay(at: 0) == [decay])
        }
    }

    @Test("give the same update as one contribution to a round")
    func roundOfOne() throws {
        let (alone, round) = (
            try Self.model(#","consistency":{"mode":"manual"}"#), try Self.model(#","consistency":{"mode":"manual"}"#)
        )
        let gradients = alone.gradients(["w": [1.1, 0.2]])
        let combined = Reduction.mean.combine(
            [Contribution(round.gradients(["w": [1.1, 0.2]]))], scale: 3, into: FloatBuffer(owed: 2),
            layout: round.optimizer.layout
        ).gradients
        let reports = (try alone.push(gradients), try round.push(combined))
        #expect(alone.bits == round.bits)
        #expect(abs(reports.0.gradientNorm - 1.25.squareRoot() / 3) < 1e-7)
        #expect(abs(reports.1.gradientNorm - 1.25.squareRoot() / 3) < 1e-7)
    }

    @Test("that overflow in a reduction are skipped: each contribution had been accepted")
    func overflow() throws {
        let model = try Self.model(#","consistency":{"mode":"manual"}"#)
        let before = model.bits
        let large = Contribution(model.gradients(["w": [3e38, 1]]))
        let combined = Reduction.sum.combine(
            [large, large, large, large], scale: 3, into: FloatBuffer(owed: 2), layout: model.optimizer.layout
        ).gradients
        let report = try model.push(combined)
        #expect(!report.applied && report.overflow && model.bits == before)
    }

    @Test("are scaled in place, dense and sparse")
    func scaling() throws {
        let round = try Round(["a": [2], "b": [2, 1], "c": [1]])
        let gradients = round.contribution(["a": .dense([3, 6]), "b": .rows([1], [9])]).gradients
        gradients.scale(by: 1 / 3, in: round.layout)
        #expect(round.dense(gradients, "a") == [1, 2] && round.rows(gradients, "b")?.values == [3])
    }
}
