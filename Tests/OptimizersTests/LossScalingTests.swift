// Loss scaling, overflow and divergence: what is skipped, what is refused, and what must not be published.

import Names
import Testing

@testable import Optimizers

@Suite("Loss scaling")
struct LossScalingTests {
    @Test("follows the recorded traces of both MindSpore rules", arguments: ScheduleTests.kind("loss_scale"))
    func traces(_ place: Int) throws {
        let golden = ScheduleTests.cases[place]
        let type = [SettingValue.Entry(key: "type", value: .string("dynamic"))]
        let definition = SettingValue.object(type + (golden["args"]?.entries ?? []))
        let scaling = try LossScaling(definition, pointer: "")
        var scaler = LossScaler(startOf: scaling)
        let after = golden["loss_scale_after"] ?? golden["scale_value_after"]
        guard case .numbers(let overflows)? = golden["overflow"], case .numbers(let scales)? = after else { return }
        for (overflow, scale) in zip(overflows, scales) {
            try scaling.advance(&scaler, overflow: overflow != 0)
            #expect(scaler.scale == scale)
        }
    }

    static let dynamic =
        #"{"optimizer":{"type":"Momentum","momentum":0.5},"learning_rate":[1,0.5],"weight_decay":0.5,"loss_scaling":{"type":"dynamic","init_loss_scale":4,"scale_factor":2,"scale_window":2}}"#

    @Test("an overflow skips the update, leaves step, rate index and slots alone and lowers the scale")
    func overflow() throws {
        let model = try Replay(Self.dynamic, ["w": [1, 2]])
        let first = try model.push(["w": [4, 4]])
        #expect(first.applied && first.nextLossScale == 4 && model["w"] == [-0.5, 0])
        let before = model.bits
        let skipped = try model.push(["w": [.infinity, 1]])
        #expect(!skipped.applied && skipped.overflow && skipped.nextLossScale == 2)
        #expect(model.bits == before)
        let second = try model.push(["w": [2, 2]])
        #expect(second.applied && second.learningRates == [0.5])
    }

    @Test("gradients are unscaled before weight decay is added, so the norm is that of the gradient")
    func unscaled() throws {
        let model = try Replay(Self.dynamic, ["w": [1, 2]])
        let report = try model.push(["w": [12, 16]])
        #expect(report.gradientNorm == 5)
        #expect(model["w"] == [-2.5, -3])
    }

    @Test("grows after a window without overflow")
    func growth() throws {
        let model = try Replay(Self.dynamic, ["w": [1]])
        #expect(try model.push(["w": [1]]).nextLossScale == 4)
        #expect(try model.push(["w": [1]]).nextLossScale == 8)
    }

    @Test(
        "stops where the next scale, or what it divides by, is beyond float32",
        arguments: [
            (#""init_loss_scale":1e38,"scale_factor":10,"scale_window":1"#, false, 1e38),
            (#""init_loss_scale":1e38,"scale_factor":2,"scale_window":1"#, false, 2e38),
            (#""init_loss_scale":2e38,"scale_factor":2,"scale_window":1"#, false, 2e38),
            (#""init_loss_scale":1e38,"scale_factor":0.1,"scale_window":9"#, true, 1e38),
            (#""init_loss_scale":1,"scale_factor":1e-38,"scale_window":1"#, false, 1e-38),
            (#""init_loss_scale":1,"scale_factor":1e-39,"scale_window":1"#, false, 1),
            (#""scale_value":1e38,"scale_factor":10,"scale_window":1"#, false, 1e38),
        ])
    func end(_ arguments: String, overflow: Bool, next: Double) throws {
        let body = #"{"optimizer":"sgd","learning_rate":1,"loss_scaling":{"type":"dynamic",\#(arguments)}}"#
        let model = try Replay(body, ["w": [0]])
        let report = try model.push(["w": [overflow ? .infinity : 0]])
        #expect(report.nextLossScale == next)
    }

    @Test("a state from before the scale was limited is reduced to the limit")
    func oldState() throws {
        let model = try Replay(Self.dynamic, ["w": [0]])
        var state = model.optimizer.exportState()
        state.lossScaler[0] = 1e300
        try model.optimizer.importState(state)
        #expect(model.optimizer.lossScale == 0x1.fffffep127)
    }

    @Test("a loss scale whose inverse is beyond float32 is refused; a scaled decay never is infinite")
    func extremes() throws {
        #expect(throws: OptimizerError.self) {
            try Replay(#"{"optimizer":"sgd","learning_rate":1,"loss_scale":1e-40}"#, ["w": [0]])
        }
        let model = try Replay(
            #"{"optimizer":"sgd","learning_rate":1,"loss_scale":1e38,"weight_decay":100}"#, ["w": [0]])
        #expect(model.optimizer.scaledWeightDecay(at: 0) == [0x1.fffffep127])
    }

    @Test("a rate that grows beyond float32 stays at its largest number")
    func growingRate() throws {
        let model = try Replay(
            #"{"optimizer":"sgd","learning_rate":{"schedule":"exponential_decay_lr","learning_rate":1,"decay_rate":10,"decay_steps":1}}"#,
            ["w": [0]])
        let last = try model.optimizer.learningRate(at: 38)[0] ?? 0
        #expect(abs(last - 1e38) < 1e32)
        #expect(try model.optimizer.learningRate(at: 39) == [0x1.fffffep127])
    }

    @Test("fixed with drop_overflow_update false is the optimizer's own loss scale and looks for no overflow")
    func fixedWithoutDropping() throws {
        let body = #"{"optimizer":"SGD","learning_rate":1,"weight_decay":0.5,"SCALE"}"#
        let own = try Replay(body.replacing("\"SCALE\"", with: #""loss_scale":8"#), ["w": [1, 2]])
        let fixed = try Replay(
            body.replacing(
                "\"SCALE\"", with: #""loss_scaling":{"type":"fixed","loss_scale":8,"drop_overflow_update":false}"#),
            ["w": [1, 2]])
        try own.push(["w": [8, 3]])
        try fixed.push(["w": [8, 3]])
        #expect(own.all == fixed.all && own.all == [-0.5, 0.625])
        #expect(throws: OptimizerError.nonFiniteGradient(parameter: "w")) { try fixed.push(["w": [.nan, 3]]) }
    }

    @Test("a thousand consecutive overflows are accepted, one more is an error")
    func stuck() throws {
        let scaling = try LossScaling(try SettingJSON.read(#"{"type":"dynamic"}"#), pointer: "")
        var scaler = LossScaler(startOf: scaling)
        for _ in 0..<1000 { try scaling.advance(&scaler, overflow: true) }
        #expect(scaler.scale == 1)
        #expect(throws: OptimizerError.lossScaleStuck(overflows: 1001)) { try scaling.advance(&scaler, overflow: true) }
    }

    @Test(
        "refuses what MindSpore's classes refuse",
        arguments: [
            (#"{"type":"fixed","loss_scale":0.5}"#, ExceptionClass.valueError),
            (#"{"type":"fixed","loss_scale":"a"}"#, .typeError),
            (#"{"type":"dynamic","init_loss_scale":0.5}"#, .valueError),
            (#"{"type":"dynamic","scale_window":1.5}"#, .typeError),
            (#"{"type":"dynamic","scale_factor":0}"#, .valueError), (#"{"type":"static"}"#, .valueError),
            ("{}", .typeError),
            (#"{"type":"dynamic","window":3}"#, .keyError), ("3", .typeError),
        ])
    func refused(_ json: String, _ exception: ExceptionClass) throws {
        let setting = try SettingJSON.read(json)
        #expect(
            complaint { () throws(OptimizerError) in _ = try LossScaling(setting, pointer: "") }?.exception == exception
        )
    }

    @Test("beside loss_scale is refused")
    func both() {
        let json = #"{"optimizer":"SGD","loss_scale":2,"loss_scaling":{"type":"fixed"}}"#
        #expect(throws: OptimizerError.self) { try Replay(json, ["w": [1]]) }
    }
}

@Suite("Gradients and weights that are not finite")
struct DivergenceTests {
    @Test(
        "a gradient with NaN is refused by name and changes nothing, for every rule", arguments: EveryRule.definitions)
    func rejected(_ definition: String) throws {
        let model = try EveryRule.model(definition)
        try model.push(model.noise(step: 0))
        let before = model.bits
        var gradients = model.noise(step: 1)
        gradients.dense.base[model.optimizer.layout.parameters[2].range.lowerBound] = .nan
        gradients.isFinite = false
        let name = model.optimizer.layout.parameters[2].name
        #expect(throws: OptimizerError.nonFiniteGradient(parameter: name.text)) { try model.push(gradients) }
        #expect(model.bits == before)
    }

    @Test("on_nonfinite skip skips the update")
    func skipped() throws {
        let model = try Replay(#"{"optimizer":"SGD","on_nonfinite":"skip"}"#, ["w": [1]])
        let report = try model.push(["w": [.nan]])
        #expect(!report.applied && report.overflow && model.optimizer.step == 0 && report.nextLossScale == 1)
    }

    @Test("finite gradients that make a weight infinite are a divergence that names the parameter")
    func diverged() throws {
        let model = try Replay(#"{"optimizer":"SGD","learning_rate":10}"#, ["a": [1], "b": [2]])
        #expect(throws: OptimizerError.diverged(parameter: "b")) { try model.push(["a": [1], "b": [3e38]]) }
        #expect(model.optimizer.step == 0 && model["a"] == [1])
    }

    @Test("0 / 0 of Adagrad without an accumulator is a divergence")
    func zeroByZero() throws {
        let model = try Replay(#"{"optimizer":{"type":"Adagrad","accum":0}}"#, ["w": [1, 2]])
        #expect(throws: OptimizerError.diverged(parameter: "w")) { try model.push(["w": [0, 1]]) }
    }

    @Test("slots start over after resetSlots, and the model trains on")
    func reset() throws {
        let model = try Replay(#"{"optimizer":{"type":"Momentum","momentum":0.9},"learning_rate":3}"#, ["w": [1]])
        #expect(throws: OptimizerError.self) { try model.push(["w": [3e38]]) }
        model.optimizer.resetSlots()
        try model.push(["w": [1]])
        #expect(model["w"] == [-2])
    }
}
