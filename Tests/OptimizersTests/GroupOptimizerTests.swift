// Optimizers of groups: a model with two optimizers equals two models with one that are pushed together, bit for bit.
// The golden cases test the rules themselves.

import Names
import Testing

@testable import Optimizers

@Suite("Optimizers of groups")
struct GroupOptimizerTests {
    /// The optimizers that a group may have.
    static let definitions: [String] = EveryRule.definitions.filter {
        !$0.contains("LARS") && !$0.contains("AdaFactor")
    }

    /// The parts of the pipeline that the gradients of both optimizers pass through.
    enum Pipeline: String, CaseIterable, CustomTestStringConvertible {
        case plain, scaled, dynamic
        var testDescription: String { rawValue }
    }

    @Test("a model with two optimizers equals two models with one", arguments: definitions, Pipeline.allCases)
    func pairs(_ definition: String, _ pipeline: Pipeline) throws {
        let trio = try Trio(definition, pipeline)
        for step in 0..<5 { try trio.push(step) }
        try trio.expectEqual()
    }

    @Test("stage by stage gives the same bits", arguments: definitions)
    func stages(_ definition: String) throws {
        let (fused, staged) = (try Trio(definition, .scaled), try Trio(definition, .scaled))
        staged.both.optimizer.isStaged = true
        for step in 0..<4 {
            try fused.push(step)
            try staged.push(step)
        }
        #expect(fused.both.bits == staged.both.bits)
    }

    @Test("its state goes out and in, whole and by names, and a dry run changes nothing", arguments: definitions)
    func state(_ definition: String) throws {
        let trio = try Trio(definition, .scaled)
        for step in 0..<3 { try trio.push(step) }
        let before = trio.both.bits
        _ = try trio.both.optimizer.dryRun(trio.gradients(trio.both, step: 9), from: trio.both.current.base)
        #expect(trio.both.bits == before)
        let exported = trio.both.optimizer.exportState()
        let (whole, named) = (try Trio(definition, .scaled).both, try Trio(definition, .scaled).both)
        try whole.optimizer.importState(exported)
        try named.optimizer.adopt(Self.named(trio.both.optimizer))
        for copy in [whole, named] { copy.current.copy(from: trio.both.current) }
        for step in 3..<5 {
            try trio.push(step)
            for copy in [whole, named] { try copy.push(trio.gradients(copy, step: step)) }
        }
        #expect(whole.bits == trio.both.bits && named.bits == trio.both.bits)
        try trio.expectEqual()
    }

    private static func named(_ optimizer: ModelOptimizer) -> NamedState {
        var state = NamedState(tensors: [:], counts: [:], scalars: [:])
        for slot in optimizer.slots {
            for (index, parameter) in optimizer.layout.parameters.enumerated() {
                guard let shape = slot.shapes[index] else { continue }
                state.tensors[Name("\(parameter.name)#\(slot.name)")] =
                    NamedState.Values(shape: shape.dimensions, values: UnsafeBufferPointer(slot[index]))
            }
        }
        for (parameter, count) in zip(optimizer.layout.parameters, optimizer.counts) {
            state.counts[Name("\(parameter.name)#step")] = count
        }
        for scalar in optimizer.exportedScalars { state.scalars[Name(scalar.name)] = scalar.value }
        return state
    }

    @Test("keeps slots only for the parameters that an optimizer updates")
    func slots() throws {
        let model = try Replay(
            #"{"optimizer":"Adam","groups":[{"params":["a"]},{"params":["b"],"optimizer":"SGD","lr":0.1}]}"#,
            ["a": [1, 2], "b": [3, 4, 5]])
        let sizes = model.optimizer.slots.map { "\($0.name) \($0.buffer.count)" }
        #expect(sizes == ["moment1 2", "moment2 2", "accum 3"])
        #expect(!model.optimizer.exportedScalars.contains { $0.name == "a#stat" })
        #expect(model.optimizer.exportedScalars.contains { $0.name == "b#stat" })
    }

    @Test("has the defaults of its own optimizer where the model says nothing, else the model's")
    func defaults() throws {
        let groups = #""groups":[{"params":["a"]},{"params":["b"],"optimizer":"AdamW"}]"#
        let own = try Replay(#"{"optimizer":"torch.SGD",\#(groups)}"#, ["a": [1], "b": [1]])
        #expect(try own.optimizer.learningRate == [0.001, 0.001] && own.optimizer.weightDecay == [0, 0.01])
        let model = try Replay(
            #"{"optimizer":"torch.SGD","learning_rate":0.5,"weight_decay":0.25,\#(groups)}"#, ["a": [1], "b": [1]])
        #expect(try model.optimizer.learningRate == [0.5, 0.5] && model.optimizer.weightDecay == [0.25, 0.25])
    }

    @Test("is part of what a definition means only where it is written")
    func canonical() throws {
        func canonical(_ groups: String) throws -> SettingValue {
            let definition = try SettingJSON.read(#"{"optimizer":{"type":"SGD","momentum":0.5},"groups":[\#(groups)]}"#)
            let parameters = [ParameterDefinition(name: "w", shape: try #require(Shape([1])))]
            return try Catalogue.builtin.canonical(definition, parameters: parameters)
        }
        let plain = try canonical(#"{"params":["w"]}"#)
        #expect(plain["groups"]?.elements?[0]["optimizer"] == nil)
        let adam = try canonical(#"{"params":["w"],"optimizer":"Adam"}"#)
        #expect(adam != plain)
        let sameArguments = try ["LazyAdam", "AdamOffload"].map {
            try canonical(#"{"params":["w"],"optimizer":"\#($0)"}"#)
        }
        #expect(sameArguments[0] != sameArguments[1])
        #expect(adam == (try canonical(#"{"params":["w"],"optimizer":{"type":"adam","beta1":0.9}}"#)))
        #expect(adam != (try canonical(#"{"params":["w"],"optimizer":{"type":"adam","beta1":0.8}}"#)))
    }

    @Test("changes its arguments in a running model, and nothing else")
    func changes() throws {
        let model = try Replay(
            #"{"optimizer":"torch.Adam","groups":[{"name":"x","params":["a"],"amsgrad":true},"#
                + #"{"name":"y","params":["b"],"optimizer":{"type":"AdamW","eps":1e-6}}]}"#,
            ["a": [1, 2], "b": [3]])
        try model.push(["a": [1, 1], "b": [1]])
        let largest = try #require(model.optimizer.slots.first { $0.name == "max_exp_avg_sq" })
        let before = (Array(largest.buffer[0..<largest.buffer.count]), model.optimizer.slots[0].buffer)
        try ReconfigurationTests.patch(model, group: "y", #"{"optimizer":{"amsgrad":true}}"#)
        let after = try #require(model.optimizer.slots.first { $0.name == "max_exp_avg_sq" })
        #expect(Array(after[0]) == before.0 && Array(after[1]) == [0])
        #expect(model.optimizer.slots[0].buffer === before.1)
        #expect(model.optimizer.definition["groups"]?.elements?[1]["optimizer"]?["eps"] == .number(1e-6))
        for refused in [#"{"optimizer":"SGD"}"#, #"{"optimizer":null}"#, #"{"optimizer":{"type":"Adam"}}"#] {
            let error = #expect(throws: OptimizerError.self) {
                try ReconfigurationTests.patch(model, group: "y", refused)
            }
            #expect(Self.pointer(error) == "/groups/1/optimizer")
        }
        try ReconfigurationTests.patch(model, group: "x", #"{"optimizer":{"type":"Adam","betas":[0.5,0.5]}}"#)
        try model.push(["a": [1, 1], "b": [1]])
    }

    /// The mistake, and the place that the answer names.
    static let refusals: [(model: String, group: String, pointer: String, words: String)] = [
        ("Adam", #""optimizer":"Adamm""#, "/groups/1/optimizer", "Unknown optimizer `Adamm`"),
        ("Adam", #""optimizer":7"#, "/groups/1/optimizer", "name or an object"),
        ("Adam", #""optimizer":null"#, "/groups/1/optimizer", "name or an object"),
        ("Adam", #""optimizer":{"momentum":0.9}"#, "/groups/1/optimizer/type", "needs `type`"),
        ("Adam", #""optimizer":"torch.AdamW""#, "/groups/1/optimizer", "one framework"),
        ("torch.Adam", #""optimizer":"mindspore.SGD""#, "/groups/1/optimizer", "one framework"),
        ("torch.Adam", #""optimizer":"Lamb""#, "/groups/1/optimizer", "Unknown optimizer `Lamb` in torch"),
        ("Adam", #""optimizer":{"type":"LARS","optimizer":"SGD"}"#, "/groups/1/optimizer", "LARS updates a whole"),
        ("Adam", #""optimizer":"lars""#, "/groups/1/optimizer", "LARS updates a whole"),
        ("Adam", #""optimizer":{"type":"LARS","optimizer":"SDG"}"#, "/groups/1/optimizer", "LARS updates a whole"),
        ("Adam", #""optimizer":"AdaFactor""#, "/groups/1/optimizer", "AdaFactor updates a whole"),
        (
            "Adam", #""optimizer":"AdamW""#, "/groups/1/optimizer",
            "Unknown optimizer `AdamW` in mindspore; did you mean"
        ),
        ("AdaFactor", #""optimizer":"lars""#, "/groups/1/optimizer", "AdaFactor updates a whole"),
        ("AdaFactor", #""optimizer":"SGD""#, "/groups/1/optimizer", "AdaFactor updates a whole"),
        (#"{"type":"LARS","optimizer":"SGD"}"#, #""optimizer":"SGD","lr":1"#, "/groups/1/optimizer", "LARS updates"),
        ("Adam", #""optimizer":"Momentum""#, "/groups/1/lr", "needs a rate"),
        ("Adam", #""optimizer":"Momentum","lr":1"#, "/groups/1/optimizer/momentum", "needs `momentum`"),
        ("Adam", #""optimizer":{"type":"SGD","beta1":0.9}"#, "/groups/1/optimizer/beta1", "SGD has no `beta1`"),
        ("Adam", #""optimizer":"SGD","momentum":0.9"#, "/groups/1/momentum", "belongs to the optimizer"),
        ("Adam", #""optimizer":{"type":"SGD","lr":0.9}"#, "/groups/1/optimizer/lr", "belongs to the group"),
        ("torch.Adam", #""optimizer":"SGD","betas":[0,0]"#, "/groups/1/betas", "has no `betas`"),
        ("Adam", #""optimizer":{"type":"SGD","momentum":-1}"#, "/groups/1/optimizer/momentum", ">= 0"),
        ("torch.Adam", #""optimizer":"Rprop","weight_decay":1"#, "/groups/1/weight_decay", "no weight decay"),
        ("Adam", #""optimizer":"FTRL","lr":[0.1]"#, "/groups/1/lr", "one positive number"),
        ("FTRL", #""lr":0.5"#, "/groups/1/lr", "one rate for all"),
    ]

    @Test("refuses mistakes with their place", arguments: refusals)
    func refused(_ row: (model: String, group: String, pointer: String, words: String)) throws {
        let model = row.model.hasPrefix("{") ? row.model : "\"\(row.model)\""
        let rate = row.model.contains("LARS") ? #","learning_rate":0.1"# : ""
        let body = #"{"optimizer":\#(model)\#(rate),"groups":[{"params":["a"]},{"params":["b"],\#(row.group)}]}"#
        let error = #expect(throws: OptimizerError.self) { _ = try Replay(body, ["a": [1], "b": [1]]) }
        #expect(Self.pointer(error) == row.pointer)
        #expect(error.map { "\($0)" }?.contains(row.words) == true, "\(String(describing: error))")
    }

    @Test("a loss scale that one optimizer lacks is refused; there are at most 64")
    func limits() throws {
        #expect(throws: OptimizerError.self) {
            try Replay(
                #"{"optimizer":"Adam","loss_scale":8,"groups":[{"params":["a"],"optimizer":"Lamb"}]}"#, ["a": [1]])
        }
        func model(_ count: Int, different: Bool) throws -> Replay {
            let groups = (0..<count).map {
                #"{"params":["p\#($0)"],"optimizer":{"type":"SGD","momentum":0.\#(different ? 100 + $0 : 5)}}"#
            }
            let values = (0..<count).map { (Name("p\($0)"), [Float(1)]) }
            return try Replay(
                #"{"optimizer":"Adam","groups":[\#(groups.joined(separator: ","))]}"#,
                Dictionary(uniqueKeysWithValues: values))
        }
        #expect(try model(200, different: false).optimizer.rules.count == 2)
        #expect(try model(63, different: true).optimizer.rules.count == 64)
        let error = #expect(throws: OptimizerError.self) { try model(64, different: true) }
        #expect(Self.pointer(error) == "/groups/63/optimizer")
    }

    fileprivate static func pointer(_ error: OptimizerError?) -> String? {
        guard case .invalid(let complaint)? = error else { return nil }
        return complaint.pointer
    }
}

/// A model with two optimizers, and one model for each of them.
private final class Trio {
    let both: Replay
    let parts: [Replay]
    private let takesSparse: Bool

    init(_ definition: String, _ pipeline: GroupOptimizerTests.Pipeline) throws {
        let setting = try SettingJSON.read(definition)
        let (name, isTorch) = (setting["type"]?.stringValue ?? "", setting["framework"] != nil)
        takesSparse =
            ["Adam", "LazyAdam", "FTRL", "ProximalAdagrad"].contains(name) && !isTorch
            && !definition.contains("amsgrad") && !definition.contains("offload")
        let scales = !isTorch && !["AdamWeightDecay", "ASGD", "Rprop", "Lamb"].contains(name)
        let common =
            switch pipeline {
            case .plain: #""learning_rate":0.05"#
            case .scaled: #""learning_rate":0.05,"weight_decay":0.1\#(scales ? #","loss_scale":8"# : "")"#
            case .dynamic:
                #""learning_rate":\#(name == "FTRL" ? "0.05" : Self.schedule),"weight_decay":0.1,"#
                    + #""loss_scaling":{"type":"dynamic","scale_value":16,"scale_factor":2,"scale_window":2}"#
            }
        let model = isTorch ? #"{"type":"NAdam","framework":"torch"}"# : #"{"type":"Adam","use_amsgrad":true}"#
        let centered = isTorch ? "" : #","grad_centralization":true"#
        let noDecay = isTorch && name == "Rprop" ? #","weight_decay":0"# : ""
        let first = #"{"name":"x","params":["a*","b*"],"lr":0.01\#(centered)}"#
        let second = #""name":"y","params":["*"]\#(noDecay)\#(centered)"#
        let order = #"{"order_params":["c.weight","a.weight","d.bias","e.bias","b.beta"]}"#
        let bodies = [
            #"{"optimizer":\#(model),\#(common),"groups":[\#(first),{\#(second),"optimizer":\#(definition)},\#(order)]}"#,
            #"{"optimizer":\#(model),\#(common),"groups":[\#(first)]}"#,
            noDecay.isEmpty
                ? #"{"optimizer":\#(definition),\#(common),"groups":[{\#(second)}]}"#
                : #"{"optimizer":\#(definition),"learning_rate":\#(pipeline == .dynamic ? Self.schedule : "0.05"),"#
                    + #""groups":[{\#(second)}]\#(Self.scaling(of: common))}"#,
        ]
        let names: [Set<Name>] = [["a.weight", "b.beta"], ["c.weight", "d.bias", "e.bias"]]
        both = try Self.replay(bodies[0], names[0].union(names[1]))
        parts = [try Self.replay(bodies[1], names[0]), try Self.replay(bodies[2], names[1])]
        for model in [both] + parts { model.tellsModesty = pipeline == .plain }
    }

    private static let schedule =
        #"{"schedule":"cosine_decay_lr","min_lr":0.001,"max_lr":0.1,"decay_steps":4}"#

    private static func scaling(of common: String) -> String {
        common.contains("loss_scaling")
            ? #","loss_scaling":{"type":"dynamic","scale_value":16,"scale_factor":2,"scale_window":2}"# : ""
    }

    private static func replay(_ body: String, _ names: Set<Name>) throws -> Replay {
        let shapes = EveryRule.shapes.filter { names.contains($0.key) }
        let values = Dictionary(
            uniqueKeysWithValues: shapes.map { ($0.key, noise($0.key, $0.value.reduce(1, *), seed: 1)) })
        return try Replay(body, values, shapes: shapes)
    }

    private static func noise(_ name: Name, _ count: Int, seed: UInt64) -> [Float] {
        let generator = CounterGenerator(seed: seed, name: name)
        return (0..<count).map { Float(2 * generator.unit(UInt64($0)) - 1) }
    }

    /// Gradients by name, the same in all models: all, some, a sparse one, and one that overflows.
    func gradients(_ model: Replay, step: Int) -> Gradients {
        var values: [Name: [Float]] = [:]
        for parameter in model.optimizer.layout.parameters {
            if step == 1, ["a.weight", "e.bias"].contains(parameter.name) { continue }
            if step == 2, takesSparse, parameter.name == "c.weight" { continue }
            values[parameter.name] = Self.noise(parameter.name, parameter.range.count, seed: UInt64(100 + step))
        }
        var gradients = model.gradients(values)
        if step == 2, takesSparse, let index = model.optimizer.layout.index(of: "c.weight") {
            let rows = FloatBuffer(owed: 3 * 33)
            Noise.fill(rows, seed: 7)
            gradients.sparse[index] = SparseRows(indices: [5, 0, 5], values: rows)
        }
        return gradients
    }

    func push(_ step: Int) throws {
        for model in [both] + parts { try model.push(gradients(model, step: step)) }
    }

    /// Every value of a parameter is the value in its separate model.
    func expectEqual() throws {
        for part in parts {
            for (index, parameter) in part.optimizer.layout.parameters.enumerated() {
                let place = try #require(both.optimizer.layout.index(of: parameter.name))
                #expect(both[parameter.name].map(\.bitPattern) == part[parameter.name].map(\.bitPattern))
                #expect(numbers(both.optimizer, place) == numbers(part.optimizer, index), "\(parameter.name)")
            }
        }
        #expect(parts[1].optimizer.lossScale == both.optimizer.lossScale)
        #expect(parts[0]["a.weight"] != Self.noise("a.weight", 96, seed: 1), "the test must move something")
    }

    /// The slots and numbers of one parameter by name.
    private func numbers(_ optimizer: ModelOptimizer, _ index: Int) -> [String: [Double]] {
        var found: [String: [Double]] = [:]
        for slot in optimizer.slots where slot.shapes[index] != nil {
            found[slot.name] = slot[index].map(Double.init)
        }
        let names = optimizer.scalarNames[optimizer.plan.rule(of: index)]
        for name in names { found[name] = optimizer.parameterScalars[name].map { [$0[index]] } }
        found["started"] = [optimizer.isStarted[index] ? 1 : 0]
        if !optimizer.counts.isEmpty { found["step"] = [Double(optimizer.counts[index])] }
        return found
    }
}
