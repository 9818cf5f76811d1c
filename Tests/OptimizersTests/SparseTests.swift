// Sparse gradients: which rules support them, and the effect on rows that are named twice and on other rows. The
// recorded runs (adam_sparse_*, ftrl_sparse_*, ...) have the numbers; these tests state the rules.

import Testing

@testable import Optimizers

@Suite("Sparse gradients")
struct SparseTests {
    static func model(_ optimizer: String, _ rest: String = "") throws -> Replay {
        let json = #"{"optimizer":\#(optimizer),"learning_rate":0.1\#(rest)}"#
        return try Replay(json, ["w": [1, 2, 3, 4, 5, 6, 7, 8]], shapes: ["w": [4, 2]])
    }

    @discardableResult
    static func push(_ model: Replay, _ rows: [Int], _ values: [Float]) throws -> UpdateReport {
        var gradients = model.gradients([:])
        let buffer = FloatBuffer(owed: values.count)
        for (i, value) in values.enumerated() { buffer.base[i] = value }
        gradients.sparse[0] = SparseRows(indices: rows, values: buffer)
        return try model.push(gradients)
    }

    @Test(
        "are refused where MindSpore has no rule for them",
        arguments: [
            #""sgd""#, #"{"type":"momentum","momentum":0.9}"#, #""adagrad""#, #""rmsprop""#, #""adamax""#,
            #""adadelta""#,
            #""adam_weight_decay""#, #""asgd""#, #"{"type":"adam","use_amsgrad":true}"#,
            #"{"type":"adam","use_offload":true}"#,
            #""lamb""#, #"{"type":"lars","optimizer":"adam"}"#, #"{"type":"adam","framework":"torch"}"#,
        ])
    func refused(_ optimizer: String) throws {
        let model = try Self.model(optimizer)
        let before = model.bits
        do {
            try Self.push(model, [1], [1, 1])
            Issue.record("accepted")
        } catch OptimizerError.invalid(let complaint) {
            #expect(complaint.exception == .typeError && complaint.pointer == "/gradients/w")
        }
        #expect(model.bits == before)
    }

    @Test("with a row outside the parameter are refused and change nothing", arguments: [-1, 4, Int.max])
    func outside(_ row: Int) throws {
        let model = try Self.model(#""adam""#)
        let before = model.bits
        #expect(throws: OptimizerError.self) { try Self.push(model, [0, row], [1, 1, 1, 1]) }
        #expect(model.bits == before)
    }

    @Test("of Adam move rows that are not named by their momentum")
    func everyRow() throws {
        let model = try Self.model(#""adam""#)
        try Self.push(model, [1], [1, 1])
        let first = model["w"]
        #expect(first[0] == 1 && first[2] < 3 && first[4] == 5)
        try Self.push(model, [3], [1, 1])
        #expect(model["w"][2] < first[2] && model["w"][0] == 1)
    }

    @Test(
        "of lazy Adam, FTRL and ProximalAdagrad move named rows only",
        arguments: [#""lazy_adam""#, #"{"type":"adam","use_lazy":true}"#, #""ftrl""#, #""proximal_adagrad""#])
    func namedRows(_ optimizer: String) throws {
        let model = try Self.model(optimizer)
        try Self.push(model, [1], [1, 1])
        let first = model["w"]
        try Self.push(model, [3], [1, 1])
        #expect(Array(model["w"][0..<6]) == Array(first[0..<6]) && model["w"][6] != 7 && first[2] != 3)
    }

    @Test(
        "unique sums duplicate rows before the rule, so their order in the push does not matter",
        arguments: [#""adam""#, #""lazy_adam""#, #""ftrl""#, #""proximal_adagrad""#])
    func unique(_ optimizer: String) throws {
        let (split, summed) = (try Self.model(optimizer), try Self.model(optimizer))
        try Self.push(split, [2, 0, 2], [1, 2, 5, 6, 3, 4])
        try Self.push(summed, [0, 2], [5, 6, 4, 6])
        #expect(split.bits == summed.bits)
    }

    @Test("unique false takes each entry on its own")
    func entries() throws {
        let model = try Self.model(#""proximal_adagrad""#, #","unique":false"#)
        try Self.push(model, [0, 0], [1, 1, 2, 2])
        let (first, second) = (Float(0.1 / 1.1.squareRoot()), Float(0.2 / 5.1.squareRoot()))
        #expect(abs(model["w"][0] - (1 - first - second)) < 1e-6)
    }

    @Test("decay each entry, so that a row named twice decays twice")
    func decay() throws {
        let (twice, once) = (
            try Self.model(#""ftrl""#, #","weight_decay":0.5"#), try Self.model(#""ftrl""#, #","weight_decay":0.5"#)
        )
        try Self.push(twice, [1, 1], [1, 1, 1, 1])
        try Self.push(once, [1], [3.5, 4])
        #expect(twice["w"] == once["w"])
    }

    @Test("of rank 1 have rows of one value, and a push may mix dense and sparse")
    func rankOne() throws {
        let model = try Replay(#"{"optimizer":"lazy_adam","learning_rate":0.1}"#, ["a": [1, 2, 3], "b": [1]])
        var gradients = model.gradients(["b": [1]])
        let values = FloatBuffer(owed: 1)
        values.base[0] = 1
        gradients.sparse[0] = SparseRows(indices: [2], values: values)
        let report = try model.push(gradients)
        #expect(model["a"][0] == 1 && abs(model["a"][2] - 2.9) < 1e-5 && abs(model["b"][0] - 0.9) < 1e-5)
        #expect(abs(report.gradientNorm - 2.0.squareRoot()) < 1e-12)
    }
}
