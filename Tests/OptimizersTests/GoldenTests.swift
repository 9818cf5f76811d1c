// Every recorded run of MindSpore and PyTorch, replayed in this process: each element of each parameter after each step,
// and the slots after the last.

import Names
import Testing

@testable import Optimizers

@Suite("Golden cases")
struct GoldenTests {
    /// The tolerance that the reference states: 1e-6 + 1e-5 |reference|.
    static func isNear(_ value: Float, _ reference: Float) -> Bool {
        abs(Double(value) - Double(reference)) <= 1e-6 + 1e-5 * abs(Double(reference))
    }

    @Test("replays to the recorded parameters at every step", arguments: GoldenCase.all)
    func parameters(_ name: String) throws {
        let golden = try GoldenCase(name)
        let replay = try Replay(golden)
        for (step, record) in golden.steps.enumerated() {
            try replay.takeNotes(of: record, golden)
            let report = try replay.push(replay.gradients(golden: record["grads"] ?? .null))
            #expect(report.applied)
            for entry in record["params_after"]?.entries ?? [] {
                let (values, reference) = (replay[entry.key], GoldenCase.values(entry.value))
                let stray = zip(values, reference).first { !Self.isNear($0, $1) }
                #expect(values.count == reference.count && stray == nil, "step \(step), \(entry.key)")
            }
        }
    }
}

extension Replay {
    convenience init(_ golden: GoldenCase) throws {
        try self.init(golden.definition, golden.parameters)
        for entry in golden.json["params"]?.entries ?? [] { set(entry.key, GoldenCase.values(entry.value)) }
    }

    /// Torch's group cases change a group's rate between steps; there the record is the definition.
    func takeNotes(of record: SettingValue, _ golden: GoldenCase) throws {
        guard golden.isTorch, let rates = record["lr"], !rates.entries.isEmpty else { return }
        let groups = (optimizer.definition["groups"]?.elements ?? []).map { group in
            group.setting("lr", to: group["name"]?.stringValue.flatMap { rates[Name($0)] })
        }
        optimizer = try optimizer.reconfigured(with: optimizer.definition.setting("groups", to: .array(groups)))
    }
}
