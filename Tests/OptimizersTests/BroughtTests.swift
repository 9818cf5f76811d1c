// Hyperparameters of a push: in its update they have the same effect as a PATCH, and later updates do not see them.

import MyMomentum
import Names
import Testing

@testable import Optimizers

@Suite("Hyperparameters of a push")
struct BroughtTests {
    /// The rates of four updates: the model's and that of group x.
    static let rates: [(Double, Double)] = [(0.3, 0.02), (0.1, 0.4), (0, 0.05), (0.25, 0.03)]

    static func hasGroups(_ model: Replay) -> Bool { model.optimizer.plan.isGrouped }

    /// A model whose definition is patched like this before an update.
    static func patch(_ model: Replay, _ original: SettingValue, _ json: String, x: String?) throws {
        var definition = try MergePatch.apply(try SettingJSON.read(json), to: original)
        if let x {
            definition = try MergePatch.apply(
                try SettingJSON.read(x), toGroup: "x", of: definition, layout: model.optimizer.layout)
        }
        model.optimizer = try model.optimizer.reconfigured(with: definition)
    }

    @Test("are used by that update only")
    func once() throws {
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":0.5}"#, ["w": [8]])
        let report = try model.push(["w": [4]], bringing: #"{"learning_rate":0.25}"#)
        // 8 - 0.25 * 4
        #expect(model["w"] == [7] && report.learningRates == [0.25])
        // 7 - 0.5 * 4
        #expect(try model.push(["w": [4]]).learningRates == [0.5] && model["w"] == [5])
        #expect(
            try model.optimizer.learningRate == [0.5] && model.optimizer.definition["learning_rate"] == .number(0.5))
    }

    @Test("the rates equal a PATCH before each push, bit for bit", arguments: EveryRule.definitions, [false, true])
    func rates(_ definition: String, isStaged: Bool) throws {
        if definition.contains("AdaFactor"), !definition.contains("false") { return }
        let (brought, patched) = (try EveryRule.model(definition), try EveryRule.model(definition))
        let original = brought.optimizer.definition
        let minimum = definition.contains("FTRL") ? 0.01 : 0
        for model in [brought, patched] { model.optimizer.isStaged = isStaged }
        for (step, (rate, own)) in Self.rates.enumerated() {
            let (rate, gradients) = (max(rate, minimum), brought.noise(step: step))
            let hasGroups = Self.hasGroups(brought)
            let x = hasGroups ? #","groups":{"x":{"lr":\#(own)}}"# : ""
            try Self.patch(
                patched, original, #"{"learning_rate":\#(rate)}"#, x: hasGroups ? #"{"lr":\#(own)}"# : nil)
            patched.optimizer.isStaged = isStaged
            let report = try brought.push(gradients, bringing: #"{"learning_rate":\#(rate)\#(x)}"#)
            #expect(try patched.push(patched.noise(step: step)) == report, "step \(step)")
            #expect(brought.bits == patched.bits, "step \(step)")
        }
        // Without, both continue as defined.
        patched.optimizer = try patched.optimizer.reconfigured(with: original)
        patched.optimizer.isStaged = isStaged
        try patched.push(patched.noise(step: 9))
        try brought.push(brought.noise(step: 9))
        #expect(brought.bits == patched.bits && brought.optimizer.definition == original)
    }

    @Test(
        "a sequence of rates equals the array of these rates, bit for bit",
        arguments: EveryRule.definitions.filter {
            !$0.contains("FTRL") && !$0.contains("AdaFactor") && !$0.contains("use_clip")
        }
    )
    func array(_ definition: String) throws {
        let (brought, listed) = (try EveryRule.model(definition), try EveryRule.model(definition))
        let (all, own) = (Self.rates.map { "\($0.0)" }, Self.rates.map { "\($0.1)" })
        var settings = try MergePatch.apply(
            try SettingJSON.read(#"{"learning_rate":[\#(all.joined(separator: ","))]}"#),
            to: listed.optimizer.definition)
        settings = try MergePatch.apply(
            try SettingJSON.read(#"{"lr":[\#(own.joined(separator: ","))]}"#), toGroup: "x", of: settings,
            layout: listed.optimizer.layout)
        listed.optimizer = try listed.optimizer.reconfigured(with: settings)
        for step in Self.rates.indices {
            try listed.push(listed.noise(step: step))
            try brought.push(
                brought.noise(step: step),
                bringing: #"{"learning_rate":\#(all[step]),"groups":{"x":{"lr":\#(own[step])}}}"#)
            #expect(brought.bits == listed.bits, "step \(step)")
        }
    }

    /// Arguments that fit the slots of a definition of `EveryRule`.
    static let bringing: [(String, String)] = [
        (#"{"type":"SGD","momentum":0.9,"dampening":0.3}"#, #""momentum":0.5,"dampening":0.1"#),
        (#"{"type":"SGD","momentum":0.9,"nesterov":true}"#, #""momentum":0.25"#),
        (#"{"type":"Momentum","momentum":0.9}"#, #""momentum":0.1,"use_nesterov":true"#),
        (#"{"type":"Adadelta"}"#, #""rho":0.5,"epsilon":0.001"#),
        (#"{"type":"Adam"}"#, #""beta1":0.8,"beta2":0.99,"eps":0.000001"#),
        (#"{"type":"Adam","use_amsgrad":true}"#, #""beta1":0.5"#),
        (#"{"type":"AdaMax"}"#, #""beta1":0.8,"beta2":0.99"#),
        (#"{"type":"AdamWeightDecay"}"#, #""beta1":0.8"#),
        (#"{"type":"ASGD","t0":2.0}"#, #""lambd":0.01,"alpha":0.5"#),
        (#"{"type":"FTRL","l1":0.01,"l2":0.02}"#, #""l1":0.2,"l2":0.1"#),
        (#"{"type":"RMSProp","momentum":0.5}"#, #""momentum":0.1,"decay":0.7"#),
        (#"{"type":"Rprop"}"#, #""etas":[0.4,1.3]"#),
        (#"{"type":"AdaFactor","relative_step":false}"#, #""beta1":0.5,"clip_threshold":0.5"#),
        (#"{"type":"Lamb"}"#, #""beta1":0.8,"eps":0.0001"#),
        (#"{"type":"LARS","optimizer":{"type":"Momentum","momentum":0.9}}"#, #""coefficient":0.01"#),
        (#"{"type":"SGD","framework":"torch","momentum":0.9,"nesterov":true,"maximize":true}"#, #""momentum":0.5"#),
        (#"{"type":"Adam","framework":"torch"}"#, #""betas":[0.8,0.95],"eps":0.000001,"maximize":true"#),
        (#"{"type":"Adam","framework":"torch","amsgrad":true,"maximize":true}"#, #""betas":[0.5,0.9]"#),
        (#"{"type":"AdamW","framework":"torch"}"#, #""betas":[0.8,0.95]"#),
        (#"{"type":"RMSprop","framework":"torch","momentum":0.9}"#, #""alpha":0.5,"momentum":0.1"#),
        (#"{"type":"Adamax","framework":"torch"}"#, #""betas":[0.8,0.95]"#),
        (#"{"type":"NAdam","framework":"torch"}"#, #""momentum_decay":0.01,"betas":[0.8,0.95]"#),
    ]

    @Test("arguments of the optimizer equal a PATCH before each push, bit for bit", arguments: bringing)
    func arguments(_ definition: String, _ arguments: String) throws {
        let (brought, patched) = (try EveryRule.model(definition), try EveryRule.model(definition))
        let original = brought.optimizer.definition
        brought.tellsModesty = true
        for step in 0..<4 {
            let brings = step != 1
            try Self.patch(patched, original, brings ? #"{"optimizer":{\#(arguments)}}"# : "{}", x: nil)
            let report = try brought.push(brought.noise(step: step), bringing: brings ? "{\(arguments)}" : nil)
            let expected = try patched.push(patched.noise(step: step))
            #expect(report.learningRates == expected.learningRates && report.updateRatio == expected.updateRatio)
            #expect(brought.bits == patched.bits, "step \(step)")
        }
        let plain = try EveryRule.model(definition)
        for step in 0..<4 { try plain.push(plain.noise(step: step)) }
        #expect(plain.bits != brought.bits, "the arguments must change something")
    }

    @Test("weight decay comes and goes, as with PATCH", arguments: EveryRule.definitions)
    func decay(_ definition: String) throws {
        if definition.contains("Rprop"), definition.contains("torch") { return }
        let (brought, patched) = (try EveryRule.model(definition), try EveryRule.model(definition))
        let original = try MergePatch.apply(
            try SettingJSON.read(#"{"weight_decay":0}"#), to: brought.optimizer.definition)
        brought.optimizer = try brought.optimizer.reconfigured(with: original)
        for (step, decay) in [0.5, 0, 0.25].enumerated() {
            try Self.patch(patched, original, #"{"weight_decay":\#(decay)}"#, x: nil)
            try brought.push(brought.noise(step: step), bringing: #"{"weight_decay":\#(decay)}"#)
            try patched.push(patched.noise(step: step))
            #expect(brought.bits == patched.bits, "step \(step)")
        }
    }

    @Test("a group's values win over the model's, in torch for every argument")
    func groups() throws {
        let body =
            #"{"optimizer":{"type":"SGD","framework":"torch","momentum":0.5},"learning_rate":1,"groups":[{"name":"x","params":["a"],"momentum":0.25},{"name":"y","params":["b"]},{"name":"z","params":["c"]}]}"#
        let model = try Replay(body, ["a": [0], "b": [0], "c": [0]])
        try model.push(["a": [1], "b": [1], "c": [1]])
        // All buffers are 1. x keeps its own momentum, z gets one, y takes the model's.
        let report = try model.push(
            ["a": [1], "b": [1], "c": [1]],
            bringing: #"{"learning_rate":2,"momentum":3,"groups":{"z":{"momentum":4,"lr":8}}}"#)
        #expect(report.learningRates == [2, 2, 8])
        #expect(model["a"] == [-1 - 2 * 1.25] && model["b"] == [-1 - 2 * 4] && model["c"] == [-1 - 8 * 5])
    }

    @Test("torch's default group, which is not written, takes arguments too")
    func defaultGroup() throws {
        let body =
            #"{"optimizer":{"type":"SGD","framework":"torch","momentum":0.5},"learning_rate":1,"default_group":true,"groups":[{"name":"x","params":["a"]}]}"#
        let model = try Replay(body, ["a": [0], "b": [0]])
        try model.push(["a": [1], "b": [1]])
        try model.push(["a": [1], "b": [1]], bringing: #"{"groups":{"default":{"momentum":2,"lr":0.5}}}"#)
        #expect(model["a"] == [-1 - 1.5] && model["b"] == [-1 - 0.5 * 3])
    }

    @Test("groups with their own optimizer take its arguments; those that share one need the same values")
    func ownOptimizers() throws {
        let momentum = #""optimizer":{"type":"Momentum","momentum":0.5}"#
        let body =
            #"{"optimizer":"SGD","learning_rate":1,"groups":[{"name":"x","params":["a"],\#(momentum)},{"name":"y","params":["b"],\#(momentum)},{"name":"z","params":["c"]}]}"#
        let model = try Replay(body, ["a": [0], "b": [0], "c": [0]])
        try model.push(["a": [1], "b": [1], "c": [1]])
        try model.push(
            ["a": [1], "b": [1], "c": [1]], bringing: #"{"groups":{"x":{"momentum":2},"y":{"momentum":2,"lr":0.5}}}"#)
        #expect(model["a"] == [-1 - 3] && model["b"] == [-1 - 0.5 * 3] && model["c"] == [-2])
        let complaint = complaint { () throws(OptimizerError) in
            _ = try model.optimizer.varied(by: .of(#"{"groups":{"x":{"momentum":2},"y":{"momentum":3}}}"#))
        }
        #expect(complaint?.pointer == "/hyperparameters/groups/x" && complaint?.detail.contains("`y`") == true)
    }

    @Test("an array that is used up stops only pushes that leave a group to it")
    func exhausted() throws {
        let body =
            #"{"optimizer":"sgd","learning_rate":[1],"groups":[{"name":"x","params":["a"]},{"name":"y","params":["b"],"lr":[2]}]}"#
        let model = try Replay(body, ["a": [0], "b": [0]])
        try model.push(["a": [1], "b": [1]])
        #expect(throws: OptimizerError.learningRateExhausted(group: "y", step: 1, length: 1)) {
            try model.push(["a": [1], "b": [1]], bringing: #"{"learning_rate":4}"#)
        }
        try model.push(["a": [1], "b": [1]], bringing: #"{"learning_rate":4,"groups":{"y":{"lr":8}}}"#)
        #expect(model["a"] == [-5] && model["b"] == [-10] && model.optimizer.step == 2)
    }

    @Test("sparse gradients use them too", arguments: ["Adam", "LazyAdam", "FTRL"])
    func sparse(_ name: String) throws {
        let json = #"{"optimizer":"\#(name)","learning_rate":0.1}"#
        let models = try (0..<2).map { _ in
            try Replay(json, ["w": (0..<12).map { Float($0) - 5.5 }], shapes: ["w": [4, 3]])
        }
        let original = models[0].optimizer.definition
        let arguments = name == "FTRL" ? #""l1":0.5"# : #""beta1":0.7"#
        for step in 0..<3 {
            let rate = 0.25 / Double(step + 1)
            try Self.patch(
                models[1], original, #"{"learning_rate":\#(rate),"optimizer":{\#(arguments)}}"#, x: nil)
            for (model, brought) in zip(models, [#"{"learning_rate":\#(rate),\#(arguments)}"#, nil]) {
                var gradients = model.gradients([:])
                let values = FloatBuffer(owed: 9)
                Noise.fill(values, seed: UInt64(step))
                gradients.sparse[0] = SparseRows(indices: [2, 0, 2], values: values)
                try model.push(gradients, bringing: brought)
            }
            #expect(models[0].bits == models[1].bits, "step \(step)")
        }
    }

    @Test("a slot that the update does not need stays as it is")
    func fewerSlots() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"SGD","framework":"torch","momentum":0.5},"learning_rate":1}"#, ["w": [0]])
        try model.push(["w": [2]])
        try model.push(["w": [1]], bringing: #"{"momentum":0}"#)
        // torch leaves the buffer alone without momentum: w = -2 - 1, and then 0.5 * 2 + 1 = 2 more.
        #expect(model["w"] == [-3])
        try model.push(["w": [1]])
        #expect(model["w"] == [-5])
    }

    @Test("a custom optimizer takes what it reads, and keeps its own numbers")
    func own() throws {
        let catalogue = Catalogue(adding: [MyMomentum.self, Tally.self])
        let own = try EveryRule.model(#"{"type":"MyMomentum"}"#, catalogue: catalogue)
        let builtin = try EveryRule.model(#"{"type":"Momentum","momentum":0.9}"#)
        for step in 0..<3 {
            for model in [own, builtin] {
                try model.push(model.noise(step: step), bringing: #"{"learning_rate":0.\#(step + 1),"momentum":0.5}"#)
            }
            #expect(own.bits == builtin.bits, "step \(step)")
        }
        let tally = try Replay(#"{"optimizer":"Tally","learning_rate":1}"#, ["a": [0]], catalogue: catalogue)
        for rate in ["0.5", "0.25"] { try tally.push(["a": [1]], bringing: #"{"learning_rate":\#(rate)}"#) }
        #expect(tally.optimizer.parameterScalars == ["tally": [2]])
        let refusal = complaint { () throws(OptimizerError) in
            _ = try tally.optimizer.varied(by: .of(#"{"momentum":0.5}"#))
        }
        #expect(refusal?.pointer == "/hyperparameters/momentum" && refusal?.exception == .typeError)
    }

    @Test("a dry run shows what they do to the stages, and changes nothing")
    func dryRun() throws {
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":1,"weight_decay":0}"#, ["w": [4]])
        let before = model.bits
        let dry = try model.optimizer.dryRun(
            model.gradients(["w": [1]]), bringing: .of(#"{"learning_rate":0.5,"weight_decay":0.25}"#),
            from: model.current.base)
        // 1 + 0.25 * 4 = 2, and 0.5 * 2 is subtracted.
        #expect(dry.stages.map { $0.gradients[0].values } == [[1], [2], [2], [2]])
        #expect(dry.updates[0].values == [-1] && dry.report.learningRates == [0.5] && model.bits == before)
    }

    @Test("equal ones are equal in every notation")
    func equality() throws {
        #expect(
            try Hyperparameters.of(#"{"betas":[0.9,0.98],"learning_rate":1}"#)
                == .of(#"{"learning_rate":1.0,"betas":[0.90,0.980]}"#))
        #expect(try Hyperparameters.of(#"{"eps":-0.0}"#) == .of(#"{"eps":0}"#))
        #expect(try Hyperparameters.of(#"{"learning_rate":1}"#) != .of(#"{"learning_rate":1.5}"#))
    }
}

extension Hyperparameters {
    static func of(_ json: String) throws(OptimizerError) -> Hyperparameters {
        guard let setting = try? SettingJSON.read(json) else { throw .stepsUsedUp(count: "the test's JSON") }
        return Hyperparameters(setting)
    }
}
