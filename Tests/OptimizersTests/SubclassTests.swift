// The base class as a library: the seed's MyMomentum, written by a user, trains like the built-in rule.

import MyMomentum
import Optimizers
import Testing

@Suite("A custom optimizer")
struct SubclassTests {
    static let catalogue = Catalogue(adding: [MyMomentum.self])

    @Test("is found by name and equals the built-in rule bit for bit, slots too")
    func equalsMomentum() throws {
        let own = try EveryRule.model(#"{"type":"my_momentum"}"#, catalogue: Self.catalogue)
        let builtin = try EveryRule.model(#"{"type":"Momentum","momentum":0.9}"#)
        for step in 0..<4 {
            let one = try own.push(own.noise(step: step))
            let other = try builtin.push(builtin.noise(step: step))
            #expect(own.bits == builtin.bits, "step \(step)")
            #expect(one.learningRates == other.learningRates && abs(one.gradientNorm - other.gradientNorm) < 1e-9)
        }
    }

    @Test("keeps its slots through export and import")
    func state() throws {
        let (one, other) = (
            try EveryRule.model(#"{"type":"MyMomentum"}"#, catalogue: Self.catalogue),
            try EveryRule.model(#"{"type":"MyMomentum"}"#, catalogue: Self.catalogue)
        )
        try one.push(one.noise(step: 0))
        try other.optimizer.importState(one.optimizer.exportState())
        #expect(other.optimizer.slots[0].buffer[0..<5].elementsEqual(one.optimizer.slots[0].buffer[0..<5]))
        #expect(one.optimizer.slots[0].name == "moments")
    }

    @Test("refuses an argument that it did not read, with the nearest name")
    func unknownArgument() throws {
        let complaint = complaint { () throws(OptimizerError) in
            _ = try Self.catalogue.makeOptimizer(
                definition: .object([
                    .init(
                        key: "optimizer",
                        value: .object([
                            .init(key: "type", value: .string("MyMomentum")),
                            .init(key: "momentun", value: .number(0.5)),
                        ])),
                    .init(key: "learning_rate", value: .number(0.1)),
                ]), parameters: [ParameterDefinition(name: "w", shape: Shape([1]) ?? .scalar)])
        }
        #expect(complaint?.pointer == "/optimizer/momentun" && complaint?.detail.contains("`momentum`") == true)
    }

    @Test("shows its stages in a dry run that changes nothing")
    func dryRun() throws {
        let body =
            #"{"optimizer":"my_momentum","learning_rate":1,"weight_decay":0.5,"loss_scale":2,"groups":[{"params":["*"],"grad_centralization":true}]}"#
        let model = try Replay(body, ["w": [1, 2, 3, 4]], shapes: ["w": [2, 2]], catalogue: Self.catalogue)
        let (gradients, before) = (model.gradients(["w": [2, 4, 6, 8]]), model.bits)
        let dry = try model.optimizer.dryRun(gradients, from: model.current.base)
        #expect(
            dry.stages.map(\.name) == ["flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"])
        let expected: [[Float]] = [[2, 4, 6, 8], [3, 6, 9, 12], [-1.5, 1.5, -1.5, 1.5], [-0.75, 0.75, -0.75, 0.75]]
        #expect(dry.stages.map { $0.gradients[0].values } == expected)
        #expect(dry.updates[0].values == [0.75, -0.75, 0.75, -0.75])
        #expect(model.bits == before && Array(gradients.dense[0..<4]) == [2, 4, 6, 8])
        let report = try model.push(gradients)
        #expect(report == dry.report && model["w"] == [1.75, 1.25, 3.75, 3.25])
    }

    @Test("keeps numbers of its own through a refused update, export, import and a change of settings")
    func numbers() throws {
        let catalogue = Catalogue(adding: [Tally.self])
        let models = try (0..<2).map { _ in
            try Replay(#"{"optimizer":"Tally","learning_rate":1}"#, ["a": [0], "b": [0]], catalogue: catalogue)
        }
        for _ in 0..<3 { try models[0].push(["a": [1]]) }
        #expect(models[0].optimizer.parameterScalars == ["tally": [3, 0]])
        #expect(throws: OptimizerError.self) { try models[0].push(["a": [1], "b": [42]]) }
        #expect(models[0].optimizer.parameterScalars == ["tally": [3, 0]] && models[0].optimizer.step == 3)
        try models[1].optimizer.importState(models[0].optimizer.exportState())
        _ = try models[1].optimizer.dryRun(models[1].gradients(["a": [1]]), from: models[1].current.base)
        models[1].optimizer = try models[1].optimizer.reconfigured(
            with: models[1].optimizer.definition.setting("learning_rate", to: .number(2)))
        try models[1].push(["a": [1], "b": [1]])
        #expect(models[1].optimizer.parameterScalars == ["tally": [4, 1]])
        #expect(models[1].optimizer.modelScalars.map(\.value) == [4])
        models[1].optimizer.resetSlots()
        #expect(models[1].optimizer.parameterScalars == ["tally": [0, 0]])
    }
}

/// A custom rule that counts the gradients of each parameter, and fails at 42, half-way.
final class Tally: Optimizer {
    override class var traits: RuleTraits { RuleTraits("Tally") }
    private lazy var tally = layout.parameters.map { _ in 0.0 }

    override var parameterScalars: [String: [Double]] {
        get { ["tally": tally] }
        set { tally = newValue["tally"] ?? tally }
    }

    override var modelScalars: [(name: String, value: Double)] { [("steps", Double(step))] }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        for gradient in gradients {
            tally[gradient.index] += 1
            if gradient[0] == 42 { throw .invalid(Complaint(pointer: "/gradients", exception: nil, detail: "42")) }
        }
    }
}
