// Options in combination. The expected numbers are computed by hand, or from the formulas in NumPy.

import Testing

@testable import Optimizers

@Suite("Options together")
struct OptionTests {
    static func model(_ optimizer: String, _ rest: String = "", _ values: [Float] = [1, 2, 3]) throws -> Replay {
        try Replay(#"{"optimizer":\#(optimizer),"learning_rate":0.1\#(rest)}"#, ["w": values])
    }

    static func isClose(_ values: [Float], _ expected: [Float], _ tolerance: Float = 1e-6) -> Bool {
        zip(values, expected).allSatisfy { abs($0 - $1) <= tolerance + 1e-5 * abs($1) }
    }

    @Test("a torch argument that every group overrides is known to the optimizer")
    func overridden() throws {
        let groups = #","groups":[{"params":["w"],"betas":[0.5,0.9]}]"#
        let model = try Self.model(#"{"type":"Adam","framework":"torch","betas":[0.9,0.999]}"#, groups)
        #expect(model.optimizer.layout.groups.count == 1)
    }

    @Test("Adam with amsgrad ignores nesterov")
    func amsgradAndNesterov() throws {
        let model = try Self.model(#"{"type":"Adam","use_amsgrad":true,"use_nesterov":true}"#)
        try model.push(["w": [1, -2, 0.5]])
        #expect(Self.isClose(model["w"], [0.9, 2.1, 2.9]))
    }

    @Test("Lamb corrects by beta^t rounded once, not by a running product")
    func lambPowers() throws {
        let lamb = #"{"type":"Lamb","beta1":0.9,"beta2":0.9999,"eps":1e-6}"#
        let body = #"{"optimizer":\#(lamb),"learning_rate":0.3,"weight_decay":0.5}"#
        let model = try Replay(body, ["a": [0.02, 1]])
        for gradient: [Float] in [[1, 0.1], [-1, 0.1], [0.5, -0.2]] { try model.push(["a": gradient]) }
        #expect(Self.isClose(model["a"], [-0.2095821, 0.3841699]))
    }

    @Test("FTRL without any gradient yet sets a parameter to 0", arguments: [0, 0.01])
    func ftrlAtZero(_ l1: Double) throws {
        let model = try Self.model(#"{"type":"FTRL","initial_accum":0.0,"l1":\#(l1)}"#)
        try model.push(["w": [1, 0, 2]])
        #expect(model["w"][1] == 0 && model["w"][1].sign == .plus)
    }

    @Test("only overflows in a row make the loss scale stuck")
    func overflowsInARow() throws {
        let setting = try SettingJSON.read(#"{"type":"dynamic","init_loss_scale":16,"scale_window":2000}"#)
        let scaling = try LossScaling(setting, pointer: "")
        var scaler = LossScaler(startOf: scaling)
        for _ in 0..<1500 {
            try scaling.advance(&scaler, overflow: true)
            try scaling.advance(&scaler, overflow: false)
        }
        for _ in 0..<1000 { try scaling.advance(&scaler, overflow: true) }
        #expect(throws: OptimizerError.self) { try scaling.advance(&scaler, overflow: true) }
    }

    @Test(
        "LARS centralizes if the optimizer inside does",
        arguments: [
            (#""Momentum","momentum":0.9"#, true), (#""AdamOffload""#, false), (#""Adam","use_offload":true"#, false),
        ])
    func larsAndCentralization(_ inner: String, _ isCentralized: Bool) throws {
        let lars = #"{"type":"LARS","optimizer":{"type":\#(inner)}}"#
        let body =
            #"{"optimizer":\#(lars),"learning_rate":0.1,"groups":[{"params":["w"],"grad_centralization":true}]}"#
        let model = try Replay(body, ["w": [1, 2, 3, 4]], shapes: ["w": [2, 2]])
        #expect(model.optimizer.layout.parameters[0].isCentralized == isCentralized)
    }

    @Test("LARS with use_clip refuses groups with rates beside a dynamic rate that none of them uses")
    func larsClips() throws {
        let found = complaint { () throws(OptimizerError) in
            do {
                let lars = #"{"type":"LARS","use_clip":true,"optimizer":{"type":"Momentum","momentum":0.9}}"#
                let groups = #""groups":[{"params":["a"],"lr":0.1}]"#
                _ = try Replay(#"{"optimizer":\#(lars),"learning_rate":[0.1,0.1],\#(groups)}"#, ["a": [1]])
            } catch let error as OptimizerError { throw error } catch {}
        }
        #expect(found?.exception == .valueError)
    }

    @Test("torch's Adam forgets the second moment where beta2 is 0")
    func torchWithoutMemory() throws {
        let model = try Self.model(
            #"{"type":"AdamW","framework":"torch","betas":[0.9,0]}"#, #","weight_decay":0.0"#, [0])
        try model.push(["w": [1000]])
        try model.push(["w": [0.001]])
        // m = 0.9 * 100 + 0.0001, corrected by 0.19; v = 1e-6 exactly, so the step is 0.1 * 473.68 / 0.001.
        #expect(Self.isClose(model["w"], [-0.1 - 0.1 * (90.0001 / 0.19) / 0.00100001]))
    }

    @Test("torch's SGD has no buffer before the first update with momentum")
    func torchLateMomentum() throws {
        let model = try Self.model(#"{"type":"SGD","framework":"torch","momentum":0.0,"dampening":0.5}"#)
        try model.push(["w": [1, 1, 1]])
        #expect(model.optimizer.isStarted == [false])
    }
}
