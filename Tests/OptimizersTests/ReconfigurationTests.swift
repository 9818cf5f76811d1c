// Changes during training: the effect of a patch on a definition, and what the model keeps.

import Names
import Testing

@testable import Optimizers

@Suite("Live changes")
struct ReconfigurationTests {
    static let body =
        #"{"optimizer":{"type":"momentum","momentum":0.5},"learning_rate":[1,0.5],"groups":[{"name":"x","params":["a"]},{"name":"y","params":["b"],"lr":[2,2]}]}"#

    static func model() throws -> Replay { try Replay(body, ["a": [0], "b": [0]]) }

    static func patch(_ model: Replay, _ json: String) throws {
        let definition = try MergePatch.apply(try SettingJSON.read(json), to: model.optimizer.definition)
        model.optimizer = try model.optimizer.reconfigured(with: definition)
    }

    static func patch(_ model: Replay, group: Name, _ json: String) throws {
        let definition = try MergePatch.apply(
            try SettingJSON.read(json), toGroup: group, of: model.optimizer.definition, layout: model.optimizer.layout)
        model.optimizer = try model.optimizer.reconfigured(with: definition)
    }

    @Test("keep slots and step, and act at the next update")
    func keeps() throws {
        let model = try Self.model()
        try model.push(["a": [1], "b": [1]])
        try Self.patch(model, #"{"optimizer":{"momentum":1},"learning_rate":[1,4]}"#)
        try model.push(["a": [1], "b": [1]])
        #expect(model["a"] == [-1 - 4 * 2] && model["b"] == [-2 - 2 * 2])
    }

    @Test("append extends an array; all arrays at once or not at all")
    func append() throws {
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":[1]}"#, ["a": [0]])
        try model.push(["a": [1]])
        #expect(throws: OptimizerError.self) { try model.push(["a": [1]]) }
        try Self.patch(model, #"{"learning_rate":{"append":[3,4]}}"#)
        try model.push(["a": [1]])
        #expect(model["a"] == [-4] && model.optimizer.plan.groups[0].learningRateSetting == .numbers([1, 3, 4]))
        let grouped = try Self.model()
        #expect(throws: OptimizerError.self) { try Self.patch(grouped, #"{"learning_rate":{"append":[3]}}"#) }
        #expect(throws: OptimizerError.self) { try Self.patch(grouped, #"{"weight_decay":{"append":[3]}}"#) }
    }

    @Test("null returns a member to its default")
    func null() throws {
        let model = try Self.model()
        try Self.patch(model, #"{"past_end":"hold"}"#)
        #expect(model.optimizer.plan.pastEnd == .hold)
        try Self.patch(model, #"{"past_end":null}"#)
        #expect(model.optimizer.plan.pastEnd == .error)
        #expect(throws: OptimizerError.self) { try Self.patch(model, #"{"optimizer":{"momentum":null}}"#) }
    }

    @Test("a schedule replaces another whole")
    func whole() throws {
        let model = try Replay(
            #"{"optimizer":"sgd","learning_rate":{"schedule":"warm_up_lr","learning_rate":1,"warmup_steps":2}}"#,
            ["a": [0]])
        try Self.patch(model, #"{"learning_rate":{"schedule":"cosine_decay","min_lr":0,"max_lr":1,"decay_steps":4}}"#)
        #expect(try model.optimizer.learningRate == [1])
    }

    @Test("an empty patch changes nothing")
    func empty() throws {
        let model = try Self.model()
        #expect(try MergePatch.apply(.object([]), to: model.optimizer.definition) == model.optimizer.definition)
    }

    @Test("of a group gives it its own rate")
    func group() throws {
        let model = try Self.model()
        try Self.patch(model, group: "x", #"{"lr":[7,8]}"#)
        #expect(try model.optimizer.learningRate == [7, 2])
        try Self.patch(model, group: "x", #"{"lr":null,"weight_decay":0.5}"#)
        #expect(try model.optimizer.learningRate == [1, 2] && model.optimizer.weightDecay == [0.5, 0])
        #expect(throws: OptimizerError.self) { try Self.patch(model, group: "x", #"{"lr":[7]}"#) }
        #expect(throws: OptimizerError.self) { try Self.patch(model, group: "x", #"{"params":["b"]}"#) }
    }

    @Test("of the implicit group change the model; of the group default they write it down")
    func implicitGroups() throws {
        let single = try Replay(#"{"optimizer":"sgd"}"#, ["a": [0]])
        try Self.patch(single, group: "default", #"{"lr":3}"#)
        #expect(try single.optimizer.learningRate == [3] && single.optimizer.definition["learning_rate"] == .integer(3))
        let rest = try Replay(
            #"{"optimizer":"sgd","default_group":true,"groups":[{"params":["a"]},{"order_params":["b","a"]}]}"#,
            ["a": [0], "b": [0]])
        try Self.patch(rest, group: "default", #"{"lr":3}"#)
        #expect(try rest.optimizer.learningRate == [Float(0.1), 3] && rest.optimizer.layout.parameters[0].name == "b")
    }

    @Test(
        "that move parameters or change the optimizer are refused",
        arguments: [
            #"{"optimizer":{"type":"adam"}}"#, #"{"groups":[{"name":"x","params":["b"]},{"name":"y","params":["a"]}]}"#,
            #"{"groups":null}"#,
            #"{"learning_rate":-1}"#, #"{"optimizer":{"momentum":-1}}"#, #"{"unknown":1}"#,
        ])
    func refused(_ json: String) throws {
        let model = try Self.model()
        #expect(throws: OptimizerError.self) { try Self.patch(model, json) }
    }

    @Test("of the loss scaling restart it, others keep it")
    func lossScaling() throws {
        let model = try Replay(
            #"{"optimizer":"sgd","loss_scaling":{"type":"dynamic","init_loss_scale":4}}"#, ["a": [0]])
        try model.push(["a": [.nan]])
        try Self.patch(model, #"{"learning_rate":1}"#)
        #expect(model.optimizer.lossScale == 2)
        try Self.patch(model, #"{"loss_scaling":{"type":"dynamic","init_loss_scale":8}}"#)
        #expect(model.optimizer.lossScale == 8)
    }
}

@Suite("Rules of torch.optim")
struct TorchTests {
    @Test("let a group override every hyperparameter")
    func overrides() throws {
        let json = """
            {"optimizer":{"type":"SGD","framework":"torch","momentum":0.9},"learning_rate":1,"groups":[{"params":["a"]},
            {"params":["b"],"momentum":0,"dampening":0.25},{"params":["c"],"lr":2,"maximize":true,"weight_decay":0.5,"dampening":0.5}]}
            """
        let model = try Replay(json, ["a": [0], "b": [0], "c": [2]])
        try model.push(["a": [1], "b": [1], "c": [1]])
        #expect(model["a"] == [-1] && model["b"] == [-1] && model["c"] == [2])
        try model.push(["a": [1], "b": [1], "c": [0]])
        #expect(abs(model["a"][0] + 2.9) < 1e-6 && model["b"] == [-2] && model["c"] == [1])
    }

    @Test(
        "accept options of speed and refuse unknown names, in groups too",
        arguments: [
            (
                #"{"type":"Adam","framework":"torch","foreach":true,"fused":false}"#,
                #"{"params":["*"],"betas":[0.5,0.9]}"#, nil
            ),
            (#"{"type":"Adam","framework":"torch","beta1":0.9}"#, #"{"params":["*"]}"#, .typeError),
            (#"{"type":"Adam","framework":"torch"}"#, #"{"params":["*"],"bets":[0.5,0.9]}"#, .keyError),
            (#"{"type":"Adam","framework":"torch"}"#, #"{"params":["*"],"betas":[0.5,1]}"#, .valueError),
            (#"{"type":"Rprop","framework":"torch"}"#, #"{"params":["*"],"weight_decay":0.1}"#, .typeError),
            (#"{"type":"SGD","framework":"torch","nesterov":true}"#, #"{"params":["*"]}"#, .valueError),
        ] as [(String, String, ExceptionClass?)])
    func options(_ optimizer: String, _ group: String, _ exception: ExceptionClass?) throws {
        let definition = try SettingJSON.read(#"{"optimizer":\#(optimizer),"groups":[\#(group)]}"#)
        let complaint = complaint { () throws(OptimizerError) in
            _ = try Catalogue.builtin.makeOptimizer(
                definition: definition, parameters: [ParameterDefinition(name: "w", shape: .scalar)])
        }
        #expect(complaint?.exception == exception)
        if exception == .keyError { #expect(complaint?.pointer == "/groups/0/bets") }
        if exception == .valueError && group.contains("betas") { #expect(complaint?.pointer == "/groups/0/betas") }
    }

    @Test("decay every parameter, whatever its name")
    func names() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"SGD","framework":"torch"},"learning_rate":1,"weight_decay":0.5}"#, ["beta": [2]])
        try model.push(["beta": [0]])
        #expect(model["beta"] == [1])
    }

    @Test("AdamW decays 0.01 unless told")
    func adamW() throws {
        #expect(
            try Replay(#"{"optimizer":{"type":"AdamW","framework":"torch"}}"#, ["w": [1]]).optimizer.weightDecay == [
                0.01
            ])
    }
}

@Suite("A parameter whose first gradient comes late")
struct LateTests {
    @Test(
        "sets up at its first gradient what others set up at t = 1, with the step of the model in t",
        arguments: [
            #"{"type":"SGD","momentum":0.9,"dampening":0.5}"#, #"{"type":"ASGD"}"#, #"{"type":"Rprop"}"#,
        ])
    func late(_ optimizer: String) throws {
        let json = #"{"optimizer":\#(optimizer),"learning_rate":0.5}"#
        let (late, early) = (try Replay(json, ["a": [1], "b": [1]]), try Replay(json, ["b": [1]]))
        try late.push(["a": [1]])
        try late.push(["b": [0.25]])
        try early.push(["b": [0.25]])
        #expect(late["b"] == early["b"])
        #expect(late.optimizer.isStarted == [true, true])
    }
}
