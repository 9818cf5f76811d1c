// Pushes that leave parameters out: under torch each parameter counts its own updates. Golden/partial has torch's
// results, and NumPy's results of torch's formulas for other rules and options (Reference/partial_torch.py).

import CKernels
import Names
import Testing

@testable import Optimizers

@Suite("Partial pushes")
struct PartialPushTests {
    static let cases = GoldenCase.names(in: "partial")

    @Test("every torch rule is among the cases")
    func completeness() throws {
        let named = try Self.cases.compactMap { name in
            try GoldenCase.read(name, folder: "partial")["definition"]?["optimizer"]?["type"]?.stringValue
        }
        let rules = Catalogue.builtin.optimizers.map { $0.traits }.filter { $0.framework == .torch }
        #expect(Set(named.map(\.folded)) == Set(rules.map(\.name.folded)))
    }

    @Test("replay to the recorded parameters at every step, fused and staged", arguments: cases, [false, true])
    func parameters(_ name: String, isStaged: Bool) throws {
        let golden = try GoldenCase.read(name, folder: "partial")
        let definition = try #require(golden["definition"])
        let replay = try Replay(partial: definition)
        for (step, record) in (golden["steps"]?.elements ?? []).enumerated() {
            if let patch = record["patch"] {
                let patched = try MergePatch.apply(patch, to: replay.optimizer.definition)
                replay.optimizer = try replay.optimizer.reconfigured(with: patched)
            }
            replay.optimizer.isStaged = isStaged
            try replay.push(replay.gradients(golden: record["gradients"] ?? .null))
            for entry in record["parameters"]?.entries ?? [] {
                let (values, reference) = (replay[entry.key], GoldenCase.values(entry.value))
                let stray = zip(values, reference).first { !GoldenTests.isNear($0, $1) }
                #expect(values.count == reference.count && stray == nil, "step \(step), \(entry.key)")
            }
        }
    }

    @Test("a late parameter moves by a whole rate, whatever step the model was told to start at", arguments: [0, 1000])
    func lateParameter(step: Int) throws {
        let model = try Replay(
            #"{"optimizer":{"type":"adam","framework":"torch"},"learning_rate":0.1,"step":\#(step)}"#,
            ["a": [1], "b": [1]])
        for _ in 0..<9 { try model.push(["a": [1]]) }
        try model.push(["b": [1]])
        // Adam's first step is lr g / (|g| + eps).
        #expect(abs(model["b"][0] - 0.9) < 1e-6)
        #expect(model.optimizer.counts == [9, 1] && model.optimizer.step == step + 10)
    }

    @Test("the rate follows the model's step")
    func rate() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"adam","framework":"torch"},"learning_rate":[0.1,0.2,0.4]}"#, ["a": [1], "b": [1]])
        for _ in 0..<2 { try model.push(["a": [1]]) }
        try model.push(["b": [1]])
        #expect(abs(model["b"][0] - 0.6) < 1e-6)
    }

    @Test("MindSpore's rules have t from the model, and no counts")
    func mindSpore() throws {
        let model = try Replay(#"{"optimizer":"adam","learning_rate":0.1}"#, ["a": [1], "b": [1]])
        for _ in 0..<9 { try model.push(["a": [1]]) }
        try model.push(["b": [1]])
        // lr sqrt(1 - 0.999^10) / (1 - 0.9^10) (1 - 0.9) / sqrt(1 - 0.999)
        #expect(abs(model["b"][0] - 0.951_56) < 1e-5)
        #expect(model.optimizer.counts.isEmpty)
    }

    @Test("counts go with the state; an import that drops the slots drops them; an old state has none")
    func state() throws {
        let body = #"{"optimizer":{"type":"adam","framework":"torch"},"learning_rate":0.1}"#
        let (one, other) = (try Replay(body, ["a": [1], "b": [1]]), try Replay(body, ["a": [1], "b": [1]]))
        for _ in 0..<3 { try one.push(["a": [1]]) }
        try other.optimizer.importState(one.optimizer.exportState())
        #expect(other.optimizer.counts == [3, 0])
        var old = one.optimizer.exportState()
        old.counts = nil
        old.step = 7
        try other.optimizer.importState(old)
        #expect(other.optimizer.counts == [7, 0])
        old.counts = [1]
        #expect(throws: OptimizerError.self) { try other.optimizer.importState(old) }
        old.counts = [1, -1]
        #expect(throws: OptimizerError.self) { try other.optimizer.importState(old) }
        other.optimizer.resetSlots()
        #expect(other.optimizer.counts == [0, 0] && other.optimizer.step == 7)
    }

    @Test("neither a skipped update nor a dry run counts")
    func skipped() throws {
        let body = #"{"optimizer":{"type":"adam","framework":"torch"},"learning_rate":0.1,"on_nonfinite":"skip"}"#
        let model = try Replay(body, ["a": [1], "b": [1]])
        try model.push(["a": [.nan]])
        _ = try model.optimizer.dryRun(model.gradients(["a": [1]]), from: model.current.base)
        #expect(model.optimizer.counts == [0, 0])
    }

    @Test("parameters with equal counts are one range; others are not")
    func ranges() throws {
        let body = #"{"optimizer":{"type":"CountingCalls","framework":"torch"},"learning_rate":0.1}"#
        let all: [Name: [Float]] = ["a": [1], "b": [1], "c": [1]]
        let catalogue = Catalogue(optimizers: [Catalogue.Row(.torch, CountingCalls.self)], schedules: [], functions: [])
        let model = try Replay(body, all, catalogue: catalogue)
        let optimizer = try #require(model.optimizer.rule as? CountingCalls)
        for _ in 0..<3 { try model.push(all) }
        #expect(optimizer.calls == [3, 3, 3])
        try model.push(["a": [1]])
        try model.push(all)
        #expect(optimizer.calls == [3, 3, 3, 1, 1, 2])
    }
}

extension PartialPushTests {
    @Test("a custom class sees the parameter's t under torch and the model's else, sparse pushes counted too")
    func subclass() throws {
        let catalogue = Catalogue(adding: [TorchT.self, ModelT.self])
        for (name, first, second) in [("TorchT", Float(1), Float(2)), ("ModelT", 4, 5)] {
            let model = try Replay(
                #"{"optimizer":{"type":"\#(name)"\#(name == "TorchT" ? #","framework":"torch""# : "")},"learning_rate":1}"#,
                ["a": [0], "b": [0]], catalogue: catalogue)
            for _ in 0..<3 { try model.push(["a": [1]]) }
            for t in [first, second] {
                var gradients = model.gradients([:])
                let values = FloatBuffer(owed: 1)
                values.base[0] = 1
                gradients.sparse[1] = SparseRows(indices: [0], values: values)
                try model.push(gradients)
                #expect(model["b"] == [t], "\(name)")
            }
        }
    }
}

/// A custom rule that writes t into the parameter.
private class ModelT: Optimizer {
    override class var traits: RuleTraits { RuleTraits("ModelT", learningRate: 1) }
    override var takesSparseGradients: Bool { true }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        for gradient in gradients { parameter(of: gradient)[0] = Float(t(of: gradient.index)) }
    }
}

private final class TorchT: ModelT {
    override class var traits: RuleTraits {
        var traits = RuleTraits("TorchT", learningRate: 1)
        traits.framework = .torch
        return traits
    }
}

/// A rule whose numbers depend on t, which notes how many values each kernel call gets.
private final class CountingCalls: Rule {
    override class var traits: RuleTraits { RuleTraits("CountingCalls", learningRate: 0.1) }

    var calls: [Int] = []

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate / Double(moment.t))
        return numbers
    }

    override func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) {
        calls.append(update.range.count)
        super.apply(&update, &pass)
    }
}

extension Replay {
    /// Makes a model from a whole definition, including its parameters.
    convenience init(partial definition: SettingValue) throws {
        let entries = definition["parameters"]?.entries ?? []
        let parameters = entries.compactMap { entry in
            GoldenCase.shape(entry.value).map { ParameterDefinition(name: entry.key, shape: $0) }
        }
        try self.init(
            definition, parameters,
            values: Dictionary(uniqueKeysWithValues: entries.map { ($0.key, GoldenCase.values($0.value)) }))
    }
}
