// PyTorch's own description of an optimizer, sent as it is: `torch.optim.X(...).defaults` as JSON, groups with their
// own arguments, and names without their framework.

import Testing

@testable import Optimizers

@Suite("torch's arguments")
struct TorchArgumentTests {
    /// `torch.optim.X([w]).defaults` of PyTorch 2.x, without `lr` and `weight_decay`; None is null.
    static let defaults = [
        #"{"type":"SGD","momentum":0,"dampening":0,"nesterov":false,"maximize":false,"foreach":null,"differentiable":false,"fused":null}"#,
        #"{"type":"Adam","betas":[0.9,0.999],"eps":1e-8,"amsgrad":false,"maximize":false,"foreach":null,"capturable":false,"differentiable":false,"fused":null,"decoupled_weight_decay":false}"#,
        #"{"type":"AdamW","betas":[0.9,0.999],"eps":1e-8,"amsgrad":false,"maximize":false,"foreach":null,"capturable":false,"differentiable":false,"fused":null,"decoupled_weight_decay":true}"#,
        #"{"type":"Adagrad","lr_decay":0,"eps":1e-10,"initial_accumulator_value":0,"foreach":null,"maximize":false,"differentiable":false,"fused":null}"#,
        #"{"type":"RMSprop","momentum":0,"alpha":0.99,"eps":1e-8,"centered":false,"capturable":false,"foreach":null,"maximize":false,"differentiable":false}"#,
        #"{"type":"Adadelta","rho":0.9,"eps":1e-6,"maximize":false,"capturable":false,"foreach":null,"differentiable":false}"#,
        #"{"type":"Adamax","betas":[0.9,0.999],"eps":1e-8,"foreach":null,"maximize":false,"differentiable":false,"capturable":false}"#,
        #"{"type":"Rprop","etas":[0.5,1.2],"step_sizes":[1e-6,50],"foreach":null,"maximize":false,"differentiable":false,"capturable":false}"#,
        #"{"type":"ASGD","lambd":1e-4,"alpha":0.75,"t0":1e6,"foreach":null,"maximize":false,"differentiable":false,"capturable":false}"#,
        #"{"type":"NAdam","betas":[0.9,0.999],"eps":1e-8,"momentum_decay":4e-3,"decoupled_weight_decay":false,"maximize":false,"foreach":null,"capturable":false,"differentiable":false}"#,
        #"{"type":"RAdam","betas":[0.9,0.999],"eps":1e-8,"maximize":false,"foreach":null,"capturable":false,"decoupled_weight_decay":false,"differentiable":false}"#,
    ]

    @Test("the defaults of every rule are taken as they are, and are the defaults here", arguments: defaults)
    func taken(_ defaults: String) throws {
        let spelled = try SettingJSON.read(defaults).setting("framework", to: .string("torch"))
        let bare = SettingValue.object(spelled.entries.filter { ["type", "framework"].contains($0.key) })
        let models = try [spelled, bare].map { optimizer in
            try Replay(
                .object([SettingValue.Entry(key: "optimizer", value: optimizer)]),
                [ParameterDefinition(name: "w", shape: .scalar)], values: ["w": [1]])
        }
        for _ in 0..<5 { for model in models { try model.push(["w": [0.5]]) } }
        #expect(models[0].bits == models[1].bits)
    }

    @Test("every rule is in the table")
    func completeness() throws {
        let named = try Self.defaults.compactMap { try SettingJSON.read($0)["type"]?.stringValue }
        #expect(
            named.sorted()
                == Catalogue.builtin.optimizers.map { $0.traits }.filter { $0.framework == .torch }
                .map(\.name).sorted())
    }

    @Test(
        "options of speed may be true, false or null, and nothing else may be null",
        arguments: [
            (#""foreach":true,"fused":true,"capturable":true,"differentiable":true"#, true),
            (#""foreach":null,"fused":null,"capturable":null,"differentiable":null"#, true),
            (#""maximize":null"#, false), (#""amsgrad":null"#, false), (#""eps":null"#, false),
            (#""foreach":1"#, false),
        ])
    func speed(_ options: String, isTaken: Bool) throws {
        #expect((refusal(#"{"type":"Adam","framework":"torch",\#(options)}"#) == nil) == isTaken)
    }

    @Test(
        "a rate or a decay inside of `optimizer` is told its place",
        arguments: ["lr", "learning_rate", "weight_decay"], ["torch", "mindspore"])
    func places(_ key: String, _ framework: String) throws {
        let complaint = try #require(refusal(#"{"type":"Adam","framework":"\#(framework)","\#(key)":0.1}"#))
        let name = key == "weight_decay" ? key : "learning_rate"
        #expect(complaint.pointer == "/optimizer/\(key)")
        #expect(complaint.detail.contains("top level") && complaint.detail.contains(#""\#(name)""#))
    }

    @Test(
        "a name that only the other framework has is told its framework",
        arguments: [
            (#""AdamW""#, "AdamW", "torch"), (#"{"type":"adamw"}"#, "AdamW", "torch"), (#""nadam""#, "NAdam", "torch"),
            (#"{"type":"RAdam","framework":"mindspore"}"#, "RAdam", "torch"),
            (#"{"type":"lamb","framework":"torch"}"#, "Lamb", "mindspore"),
            (#"{"type":"ftrl","framework":"torch"}"#, "FTRL", "mindspore"),
        ])
    func frameworks(_ optimizer: String, _ name: String, _ framework: String) throws {
        let complaint = try #require(refusal(optimizer))
        #expect(complaint.detail.contains(#"{"type":"\#(name)","framework":"\#(framework)"}"#), "\(complaint.detail)")
        #expect(complaint.exception == .valueError)
    }

    @Test(
        "what torch refuses is refused",
        arguments: [
            #"{"type":"ASGD","framework":"torch","lambd":-0.1}"#, #"{"type":"ASGD","framework":"torch","alpha":-0.1}"#,
            #"{"type":"AdamW","framework":"torch","decoupled_weight_decay":false}"#,
        ])
    func refused(_ optimizer: String) throws {
        #expect(refusal(optimizer)?.exception == .valueError)
    }

    @Test("MindSpore's ASGD takes them, as MindSpore does")
    func mindSpore() throws {
        #expect(refusal(#"{"type":"ASGD","lambd":-0.1,"alpha":-0.5}"#) == nil)
    }

    @Test("initial_accumulator_value of a group is ignored, and said to be")
    func accumulator() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"Adagrad","framework":"torch","initial_accumulator_value":1,"eps":0},"learning_rate":1,"groups":[{"params":["a"],"initial_accumulator_value":100},{"params":["b"]}]}"#,
            ["a": [0], "b": [0]])
        try model.push(["a": [1], "b": [1]])
        // The sum begins at the optimizer's 1: w = -1 / sqrt(1 + 1).
        #expect(abs(model["a"][0] + 0.707_106_77) < 1e-6 && model["a"] == model["b"])
        #expect(model.optimizer.warnings.count == 1)
        #expect(model.optimizer.warnings[0].contains("/groups/0/initial_accumulator_value is ignored"))
    }

    @Test("a group of AdamW that is not decoupled decays its gradient, as torch's does")
    func decoupledGroup() throws {
        let groups = #""groups":[{"params":["w"],"decoupled_weight_decay":false}]"#
        let one = try Replay(
            #"{"optimizer":{"type":"AdamW","framework":"torch"},"weight_decay":0.3,\#(groups)}"#, ["w": [1]])
        let other = try Replay(
            #"{"optimizer":{"type":"Adam","framework":"torch"},"weight_decay":0.3}"#, ["w": [1]])
        for _ in 0..<3 { for model in [one, other] { try model.push(["w": [0.25]]) } }
        #expect(one["w"] == other["w"])
    }

    @Test("a group without momentum is plain under nesterov, as torch's is")
    func nesterovGroup() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"SGD","framework":"torch","momentum":0.9,"nesterov":true},"learning_rate":1,"groups":[{"params":["w"],"momentum":0}]}"#,
            ["w": [4]])
        for _ in 0..<2 { try model.push(["w": [1]]) }
        #expect(model["w"] == [2])
    }

    private func refusal(_ optimizer: String) -> Complaint? {
        complaint { () throws(OptimizerError) in
            let definition = (try? SettingJSON.read(#"{"optimizer":\#(optimizer)}"#)) ?? .null
            _ = try Catalogue.builtin.makeOptimizer(
                definition: definition, parameters: [ParameterDefinition(name: "w", shape: .scalar)])
        }
    }
}
