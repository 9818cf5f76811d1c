// Groups, weight decay and centralization as in MindSpore's base class; each title is one of its rules.

import Names
import Testing

@testable import Optimizers

@Suite("Groups")
struct GroupTests {
    static let values: [Name: [Float]] = ["a": [1], "b": [1], "c.weight": [1]]

    static func model(_ members: String, optimizer: String = "sgd") throws -> Replay {
        try Replay(#"{"optimizer":"\#(optimizer)","learning_rate":1,\#(members)}"#, values)
    }

    static func complaint(_ members: String) -> Complaint? {
        OptimizersTests.complaint { () throws(OptimizerError) in
            do { _ = try model(members) } catch let error as OptimizerError { throw error } catch {}
        }
    }

    @Test("update order is the groups one after another")
    func order() throws {
        let model = try Self.model(#""groups":[{"params":["b"]},{"name":"rest","params":["*"]}]"#)
        #expect(model.optimizer.layout.parameters.map(\.name) == ["b", "a", "c.weight"])
        #expect(model.optimizer.layout.groups.map(\.name) == ["group0", "rest"])
        #expect(model.optimizer.layout.groups.map(\.parameterIndices) == [[0], [1, 2]])
    }

    @Test("order_params decides the order of update, and every setting follows its parameter")
    func orderParams() throws {
        let model = try Self.model(
            #""groups":[{"params":["a"],"lr":1},{"params":["b","c*"],"lr":0.5},{"order_params":["b","c.weight","a"],"lr":3}]"#
        )
        #expect(model.optimizer.layout.parameters.map(\.name) == ["b", "c.weight", "a"])
        try model.push(["a": [1], "b": [10], "c.weight": [2]])
        #expect(model["a"] == [0] && model["b"] == [-4] && model["c.weight"] == [0])
        #expect(model.optimizer.plan.warnings.count == 1 && model.optimizer.plan.warnings[0].contains("`lr`"))
        #expect(try model.optimizer.learningRate == [1, 0.5])
    }

    @Test("a literal name beats every glob, an earlier one too")
    func literals() throws {
        let model = try Self.model(#""groups":[{"params":["*"]},{"params":["b"]}]"#)
        #expect(model.optimizer.layout.groups.map(\.parameterIndices) == [[0, 1], [2]])
        #expect(model.optimizer.layout.parameters.map(\.name) == ["a", "c.weight", "b"])
    }

    @Test("parameters without a group form a last group default only if the definition says so")
    func defaultGroup() throws {
        let complaint = try #require(Self.complaint(#""groups":[{"params":["a"]}]"#))
        #expect(complaint.exception == .valueError && complaint.detail.contains("`b`, `c.weight`"))
        let model = try Self.model(#""default_group":true,"groups":[{"params":["a"],"lr":2}]"#)
        #expect(model.optimizer.layout.groups.map(\.name) == ["group0", "default"])
        #expect(try model.optimizer.learningRate == [2, 1])
    }

    @Test(
        "are refused with the exception of their mistake",
        arguments: [
            (#"[{"params":["a","b","c.weight"],"lrr":1}]"#, ExceptionClass.keyError, "/groups/0/lrr"),
            (#"[{"params":["*"]},{"params":["*"]}]"#, .valueError, "/groups/1/params"),
            (#"[{"params":["a","b","b","c*"]}]"#, .runtimeError, "/groups/0/params/2"),
            (#"[{"params":["a","bb","c*"]}]"#, .valueError, "/groups/0/params/1"),
            (#"[{"params":["z*","*"]}]"#, .valueError, "/groups/0/params/0"),
            (#"[{"name":"x","params":["a"]},{"name":"x","params":["*"]}]"#, .valueError, "/groups/1/name"),
            (#"[{"params":"*"}]"#, .typeError, "/groups/0/params"),
            (#"[{"name":1,"params":["*"]}]"#, .typeError, "/groups/0/name"),
            (#"[{"params":["*"],"lr":[1,2]},{"order_params":["a"]}]"#, .valueError, "/groups/1/order_params"),
            (#"[{"params":["a","b"],"lr":[1,2]},{"params":["*"],"lr":[1]}]"#, .valueError, "/groups/1/lr"),
            ("[]", .valueError, "/groups"), ("{}", .typeError, "/groups"), (#"["a"]"#, .typeError, "/groups/0"),
        ] as [(String, ExceptionClass, String)])
    func refused(_ groups: String, _ exception: ExceptionClass, _ pointer: String) throws {
        let complaint = try #require(Self.complaint(#""groups":\#(groups)"#))
        #expect(complaint.exception == exception && complaint.pointer.hasPrefix(pointer), "\(complaint)")
    }

    @Test("a fixed rate beside dynamic ones is used as given")
    func mixedRates() throws {
        let model = try Self.model(#""groups":[{"params":["a"],"lr":[0.5,0.25]},{"params":["*"],"lr":0.1}]"#)
        #expect(try model.optimizer.learningRate == [0.5, 0.1])
    }

    @Test("an exhausted array refuses the step and changes nothing; with hold, the last value is used")
    func exhausted() throws {
        let error = OptimizerError.learningRateExhausted(group: "default", step: 2, length: 2)
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":[0.5,0.25]}"#, ["w": [1]])
        try model.push(["w": [1]])
        try model.push(["w": [1]])
        let before = model.bits
        #expect(throws: error) { try model.push(["w": [1]]) }
        #expect(throws: error) { try model.optimizer.learningRate }
        #expect(model.bits == before && before[0] == [Float(0.25).bitPattern])
        let held = try Replay(#"{"optimizer":"sgd","learning_rate":[0.5,0.25],"past_end":"hold","step":7}"#, ["w": [1]])
        try held.push(["w": [1]])
        #expect(held["w"] == [0.75] && held.optimizer.step == 8)
    }

    @Test("an untrained parameter needs no group, takes no gradient, and is part of pulls")
    func untrained() throws {
        let parameters = [
            ParameterDefinition(name: "mean", shape: .scalar, isTrainable: false),
            ParameterDefinition(name: "w", shape: .scalar),
        ]
        let json = #"{"optimizer":"sgd","learning_rate":1,"weight_decay":0.5,"groups":[{"params":["w"]}]}"#
        let model = try Replay(try SettingJSON.read(json), parameters, values: ["mean": [5], "w": [2]])
        #expect(model.optimizer.layout.parameters.map(\.name) == ["w", "mean"])
        #expect(model.optimizer.layout.parameters[1].groupIndex == nil && !model.optimizer.layout.parameters[1].decays)
        try model.push(["w": [1], "mean": [1]])
        #expect(model["w"] == [0] && model["mean"] == [5])
    }
}

@Suite("Weight decay")
struct WeightDecayTests {
    @Test(
        "without groups leaves out names that hold beta or gamma, case and all",
        arguments: [
            ("beta", false), ("gamma", false), ("alphabeta", false), ("my.gamma.x", false), ("weight.beta1", false),
            ("layer_gammas", false),
            ("Beta", true), ("GAMMA", true), ("bet", true), ("bias", true),
        ])
    func names(_ name: Name, _ decays: Bool) throws {
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":1,"weight_decay":0.5}"#, [name: [2]])
        #expect(model.optimizer.layout.parameters[0].decays == decays)
        try model.push([name: [0]])
        #expect(model[name] == [decays ? 1 : 2])
    }

    @Test("with groups looks at the group's value only")
    func groups() throws {
        let json =
            #"{"optimizer":"sgd","learning_rate":1,"weight_decay":0.5,"groups":[{"params":["beta"]},{"params":["w"],"weight_decay":0}]}"#
        let model = try Replay(json, ["beta": [2], "w": [2]])
        try model.push(["beta": [0], "w": [0]])
        #expect(model["beta"] == [1] && model["w"] == [2])
        #expect(model.optimizer.layout.parameters[1].decayReason.contains("is 0"))
    }

    @Test("of FTRL and AdaFactor ignores names", arguments: ["ftrl", "adafactor"])
    func noFilter(_ name: String) throws {
        let model = try Replay(#"{"optimizer":"\#(name)","weight_decay":0.5}"#, ["beta": [2]])
        #expect(model.optimizer.layout.parameters[0].decays)
    }

    @Test("is reported as configured and, for MindSpore's sake, times the loss scale; a schedule follows the step")
    func reported() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"momentum","momentum":0.9},"learning_rate":1,"loss_scale":4,"weight_decay":{"schedule":"exponential_decay","learning_rate":0.5,"decay_rate":0.5,"decay_steps":1}}"#,
            ["w": [1]])
        #expect((0..<3).map { model.optimizer.scaledWeightDecay(at: $0) } == [[2], [1], [0.5]])
        #expect(model.optimizer.weightDecay == [0.5])
        try model.push(["w": [0]])
        #expect(model["w"] == [0.5] && model.optimizer.weightDecay == [0.25])
    }

    @Test(
        "takes a class schedule, not a function, an array or a sequence",
        arguments: [
            "[0.1]",
            #"{"schedule":"warmup_lr","learning_rate":0.1,"total_step":4,"step_per_epoch":1,"warmup_epoch":2}"#,
            #"{"schedule":"sequence","of":[{"lr":1}]}"#, "true", "null", #""0.1""#,
        ])
    func forms(_ json: String) {
        #expect(GroupTests.complaint(#""weight_decay":\#(json)"#)?.exception == .typeError)
    }

    @Test(
        "and rate are refused a loss scale where the class has none",
        arguments: ["AdamWeightDecay", "ASGD", "Rprop", "Lamb"])
    func lossScale(_ name: String) throws {
        let definition = try SettingJSON.read(#"{"optimizer":"\#(name)","learning_rate":1,"loss_scale":2}"#)
        let complaint = complaint { () throws(OptimizerError) in
            _ = try Catalogue.builtin.makeOptimizer(
                definition: definition, parameters: [ParameterDefinition(name: "w", shape: .scalar)])
        }
        #expect(complaint?.exception == .typeError && complaint?.pointer == "/loss_scale")
    }
}

@Suite("Centralization")
struct CentralizationTests {
    static func isCentralized(_ shape: [Int], rule: String) throws -> Bool {
        let json =
            #"{"optimizer":"sgd","groups":[{"params":["w"],"grad_centralization":true}],"centralization_rule":"\#(rule)"}"#
        let values: [Name: [Float]] = ["w": [Float](repeating: 1, count: shape.reduce(1, *))]
        return try Replay(json, values, shapes: ["w": shape]).optimizer.layout.parameters[0].isCentralized
    }

    @Test(
        "reaches what its rule says",
        arguments: [
            ([3], false, false, false), ([2, 3], true, false, false), ([2, 16], true, false, true),
            ([2, 8, 2, 2], true, true, false),
            ([2, 3, 3, 3], true, true, false),
            ([4, 32, 1], true, true, true), ([], false, false, false),
        ] as [([Int], Bool, Bool, Bool)])
    func reach(_ shape: [Int], _ all: Bool, _ conv: Bool, _ mindspore: Bool) throws {
        #expect(try Self.isCentralized(shape, rule: "all") == all)
        #expect(try Self.isCentralized(shape, rule: "conv") == conv)
        #expect(try Self.isCentralized(shape, rule: "mindspore") == mindspore)
    }

    @Test("takes the mean after weight decay and before unscaling")
    func place() throws {
        let json =
            #"{"optimizer":"sgd","learning_rate":1,"weight_decay":0.5,"loss_scale":2,"groups":[{"params":["w"],"grad_centralization":true}]}"#
        let model = try Replay(json, ["w": [1, 2, 3, 4]], shapes: ["w": [2, 2]])
        let report = try model.push(["w": [2, 4, 6, 8]])
        #expect(model["w"] == [1.75, 1.25, 3.75, 3.25])
        #expect(abs(report.gradientNorm - 30.0.squareRoot()) < 1e-12)
    }

    @Test(
        "is refused under torch, and has no effect where MindSpore has none",
        arguments: ["AdamWeightDecay", "AdamOffload"])
    func without(_ name: String) throws {
        let groups = #""groups":[{"params":["w"],"grad_centralization":true}]"#
        let model = try Replay(#"{"optimizer":"\#(name)",\#(groups)}"#, ["w": [1, 2]], shapes: ["w": [1, 2]])
        #expect(!model.optimizer.layout.parameters[0].isCentralized)
        #expect(throws: OptimizerError.self) {
            try Replay(
                #"{"optimizer":{"type":"SGD","framework":"torch"},\#(groups)}"#, ["w": [1, 2]], shapes: ["w": [1, 2]])
        }
    }
}
