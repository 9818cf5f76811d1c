// An exported and imported state continues to the last bit, as snapshots, restores and replays require.

import Testing

@testable import Optimizers

@Suite("State")
struct StateTests {
    @Test("exported and imported, continues bit for bit", arguments: EveryRule.definitions)
    func continuation(_ definition: String) throws {
        let (original, restored) = (try EveryRule.model(definition), try EveryRule.model(definition))
        for step in 0..<3 { try original.push(original.noise(step: step)) }
        try restored.optimizer.importState(original.optimizer.exportState())
        restored.current.copy(from: original.current)
        for step in 3..<6 {
            try original.push(original.noise(step: step))
            try restored.push(restored.noise(step: step))
        }
        #expect(original.bits == restored.bits)
    }

    @Test("reconfigured with its own definition, continues bit for bit", arguments: EveryRule.definitions)
    func reconfiguration(_ definition: String) throws {
        let (plain, changed) = (try EveryRule.model(definition), try EveryRule.model(definition))
        for step in 0..<4 {
            try plain.push(plain.noise(step: step))
            try changed.push(changed.noise(step: step))
            changed.optimizer = try changed.optimizer.reconfigured(with: changed.optimizer.definition)
        }
        #expect(plain.bits == changed.bits)
    }

    @Test("of another optimizer is refused and changes nothing")
    func unknownNames() throws {
        let momentum = try EveryRule.model(#"{"type":"Momentum","momentum":0.9}"#)
        let adam = try EveryRule.model(#"{"type":"Adam"}"#)
        try adam.push(adam.noise(step: 0))
        let before = adam.bits
        #expect(throws: OptimizerError.self) { try adam.optimizer.importState(momentum.optimizer.exportState()) }
        #expect(adam.bits == before)
    }

    /// MindSpore's attribute names in the files, if they differ from the slots' names.
    static let attributes = ["ms": "mean_square", "mg": "mean_grad", "moments1": "adam_m", "moments2": "adam_v"]

    @Test("has MindSpore's slots with the recorded values", arguments: GoldenCase.all.filter { !$0.hasPrefix("torch") })
    func slots(_ name: String) throws {
        let golden = try GoldenCase(name)
        let replay = try Replay(golden)
        for record in golden.steps { try replay.push(replay.gradients(golden: record["grads"] ?? .null)) }
        for entry in golden.json["state_after"]?.entries ?? [] {
            if case .object = entry.value {
                try compare(entry, replay, golden)
            } else if entry.key != "global_step" {
                let value = try #require(replay.optimizer.modelScalars.first { $0.name == entry.key.text }?.value)
                #expect(GoldenTests.isNear(Float(value), Float(entry.value.numberValue ?? .nan)))
            }
        }
    }

    private func compare(_ entry: SettingValue.Entry, _ replay: Replay, _ golden: GoldenCase) throws {
        let slotName = Self.attributes[entry.key.text] ?? entry.key.text
        for tensor in entry.value.entries {
            let index = try #require(replay.optimizer.layout.index(of: tensor.key))
            let reference = GoldenCase.values(tensor.value)
            if let scalars = replay.optimizer.parameterScalars[slotName] {
                #expect(
                    reference.allSatisfy { GoldenTests.isNear(Float(scalars[index]), $0) },
                    "\(slotName) of \(tensor.key)")
                continue
            }
            let slot = try #require(replay.optimizer.slots.first { $0.name == slotName })
            let isUnused = slot.ranges[index].isEmpty
            let stray = zip(slot[index], reference).first { !GoldenTests.isNear($0, $1) }
            #expect(isUnused || (slot[index].count == reference.count && stray == nil), "\(slotName) of \(tensor.key)")
        }
    }
}
