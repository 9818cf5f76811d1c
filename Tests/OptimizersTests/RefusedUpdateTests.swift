// An update that would make a parameter or a slot non-finite is refused and leaves no trace: the next update gives the
// bits of a run that never had it. Covers every rule, with gradients whose squares or sums are beyond float32.

import Names
import Testing

@testable import Optimizers

@Suite("Updates that would overflow")
struct RefusedUpdateTests {
    static let large: [Float] = [1e19, 1e25, 3e38, -3e38]

    @Test("a refused update leaves slots, counts and step as they were", arguments: EveryRule.definitions)
    func noTrace(_ definition: String) throws {
        for value in Self.large {
            for isPartial in [false, true] {
                let (model, reference) = (try EveryRule.model(definition), try EveryRule.model(definition))
                (model.tellsModesty, reference.tellsModesty) = (true, true)
                for step in 0..<2 {
                    try model.push(model.noise(step: step))
                    try reference.push(reference.noise(step: step))
                }
                guard try isRefused(model.large(value, isPartial: isPartial), by: model) else { continue }
                try model.push(model.noise(step: 2))
                try reference.push(reference.noise(step: 2))
                #expect(model.bits == reference.bits)
            }
        }
    }

    @Test(
        "sparse gradients too",
        arguments: [
            #"{"type":"Adam"}"#, #"{"type":"Adam","use_nesterov":true}"#, #"{"type":"LazyAdam"}"#,
            #"{"type":"FTRL","l1":0.01,"l2":0.02}"#, #"{"type":"ProximalAdagrad"}"#,
        ])
    func sparse(_ definition: String) throws {
        for value in Self.large {
            let (model, reference) = (try EveryRule.model(definition), try EveryRule.model(definition))
            (model.tellsModesty, reference.tellsModesty) = (true, true)
            for step in 0..<2 {
                try model.push(model.rows(step: step))
                try reference.push(reference.rows(step: step))
            }
            guard try isRefused(model.rows(step: 2, value: value), by: model) else { continue }
            try model.push(model.rows(step: 3))
            try reference.push(reference.rows(step: 3))
            #expect(model.bits == reference.bits)
        }
    }

    @Test(
        "the slot that would overflow is named",
        arguments: [
            (#"{"type":"Adam"}"#, "moment2"), (#"{"type":"AdamWeightDecay"}"#, "adam_v"),
            (#"{"type":"RMSProp"}"#, "mean_square"), (#"{"type":"Adagrad"}"#, "accum"),
            (#"{"type":"AdamW","framework":"torch"}"#, "exp_avg_sq"),
        ])
    func slot(_ definition: String, _ slot: String) throws {
        let model = try Replay(#"{"optimizer":\#(definition)}"#, ["v": [1], "w": [1, 2]])
        try model.push(["v": [1], "w": [1, 2]])
        #expect(throws: OptimizerError.diverged(parameter: "w", slot: slot)) {
            try model.push(["v": [1], "w": [1, 3e38]])
        }
    }

    @Test(
        "a slot that overflowed in a log of the first releases keeps no later update out",
        arguments: [#"{"type":"RMSProp"}"#, #"{"type":"Adagrad"}"#, #"{"type":"Adagrad","framework":"torch"}"#])
    func spoiledBefore(_ definition: String) throws {
        let model = try Replay(#"{"optimizer":\#(definition)}"#, ["w": [1, 2]])
        var gradients = model.gradients(["w": [1e21, 1]])
        _ = try model.optimizer.update(&gradients, from: model.current.base, to: model.next.base, keepsSlots: false)
        #expect(model.optimizer.slots.contains { !$0.buffer[0..<$0.buffer.count].allSatisfy(\.isFinite) })
        try model.push(["w": [1, 1]])
        #expect(throws: OptimizerError.self) { try model.push(["w": [1, 3e38]]) }
        try model.push(["w": [0, 1]])
    }

    @Test("a custom rule that fails half-way leaves no trace either")
    func construct() throws {
        let catalogue = Catalogue(adding: [HalfWay.self])
        let model = try Replay(
            #"{"optimizer":"HalfWay","learning_rate":1}"#, ["w": [1, 2]], catalogue: catalogue)
        let before = model.bits
        #expect(throws: OptimizerError.self) { try model.push(["w": [1, 1]]) }
        #expect(model.bits == before)
    }

    @Test("updates of a log of the first releases look at parameters alone")
    func logged() throws {
        let model = try Replay(#"{"optimizer":"Adam"}"#, ["w": [1]])
        var gradients = model.gradients(["w": [3e38]])
        _ = try model.optimizer.update(&gradients, from: model.current.base, to: model.next.base, keepsSlots: false)
        #expect(model.optimizer.slots[1].buffer.base[0] == .infinity && model.optimizer.step == 1)
    }

    /// Returns whether the model refuses; checks the promises of either outcome.
    private func isRefused(_ gradients: Gradients, by model: Replay) throws -> Bool {
        let before = model.bits
        do {
            try model.push(gradients)
        } catch OptimizerError.diverged {
            #expect(model.bits == before)
            return true
        }
        #expect(model.current.isFinite)
        #expect(model.areSlotsFinite)
        return false
    }
}

/// Writes a slot and fails.
private final class HalfWay: Optimizer {
    override class var traits: RuleTraits { RuleTraits("HalfWay") }
    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("seen")] }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        slots[0].buffer.fill(1)
        throw .invalid("/gradients", .valueError, "no")
    }
}

extension Replay {
    /// Gradients that consist of one large number and noise, for the first parameter alone or for all.
    fileprivate func large(_ value: Float, isPartial: Bool) -> Gradients {
        var gradients = noise(step: 2)
        if isPartial { for index in gradients.isDense.indices.dropFirst() { gradients.isDense[index] = false } }
        gradients.dense.base[optimizer.layout.parameters[0].range.lowerBound + 5] = value
        return gradients
    }

    /// Rows of the matrix `c.weight`, one of which is named twice; `value` is in the last.
    fileprivate func rows(step: Int, value: Float? = nil) -> Gradients {
        var gradients = noise(step: step)
        gradients.isDense = gradients.isDense.map { _ in false }
        guard let index = optimizer.layout.index(of: "c.weight") else { return gradients }
        let values = FloatBuffer(owed: 4 * optimizer.layout.parameters[index].shape.rowCount)
        Noise.fill(values, seed: UInt64(step))
        if let value { values.base[values.count - 1] = value }
        gradients.sparse[index] = SparseRows(indices: [1, 3, 1, 5], values: values)
        return gradients
    }
}
