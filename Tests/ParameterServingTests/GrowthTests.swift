// Models that grow: everything that was there stays to the bit, what is new starts as in a new model, and every reader
// of the log agrees. The reference is a model that had all of it from the start.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Growth")
struct GrowthTests {
    static let adam: SettingValue = ["optimizer": ["type": "Adam", "framework": "torch"], "learning_rate": 0.01]

    static func parameter(_ name: Name, _ shape: [Int], _ initial: SettingValue = "zeros") -> InitialParameter {
        let shape = Shape(shape) ?? .scalar
        return InitialParameter(definition: ParameterDefinition(name: name, shape: shape), value: .initializer(initial))
    }

    /// A registry in memory, and a model of these parameters in it.
    static func model(
        _ settings: SettingValue, _ parameters: [InitialParameter], limit: Int = 1 << 30
    ) throws -> (ModelRegistry, Model) {
        let registry = ModelRegistry(
            configuration: ServingConfiguration(memoryLimit: limit), catalogue: .builtin)
        let source = ModelSource.definition(ModelDefinition(settings: settings, parameters: parameters))
        guard case .new(let model) = try registry.create("m", source) else { throw ServingError.modelExists("m") }
        return (registry, model)
    }

    /// Numbers that differ at every place and step.
    static func gradient(_ count: Int, _ step: Int) -> [Float] {
        (0..<count).map { Float($0 * 7 % 5 - 2) / Float(step + 1) }
    }

    @Test(
        "a parameter that is added late is the same as one that had no gradient until then",
        arguments: [
            ["optimizer": ["type": "Adam", "framework": "torch"], "learning_rate": 0.01],
            ["optimizer": ["type": "AdamW", "framework": "torch", "amsgrad": true], "learning_rate": 0.01],
            ["optimizer": ["type": "ASGD", "framework": "torch"], "learning_rate": 0.01],
            ["optimizer": ["type": "Rprop", "framework": "torch"], "learning_rate": 0.01],
            ["optimizer": "adam", "learning_rate": 0.01], ["optimizer": "AdaFactor"],
            ["optimizer": ["type": "momentum", "momentum": 0.9], "learning_rate": 0.01, "loss_scale": 4],
        ] as [SettingValue])
    func late(settings: SettingValue) throws {
        let (w, x) = (Self.parameter("w", [3, 2], "normal"), Self.parameter("x", [2, 2], "uniform"))
        let (one, grown) = try Self.model(settings, [w])
        let (other, whole) = try Self.model(settings, [w, x])
        defer {
            one.shutDown()
            other.shutDown()
        }
        for step in 0..<3 { for model in [grown, whole] { try model.push(["w": Self.gradient(6, step)]) } }
        let version = try grown.grow(Growth(added: [x])).version
        #expect(version == 5 && grown.publication.current.step == 3)
        #expect(grown.digest == whole.digest)
        for step in 3..<6 {
            for model in [grown, whole] {
                try model.push(["w": Self.gradient(6, step), "x": Self.gradient(4, step)])
            }
        }
        #expect(grown.digest == whole.digest && grown.values("x") == whole.values("x"))
    }

    @Test("rows come after those that stay, and start with the values of a longer parameter and with empty slots")
    func rows() throws {
        let (registry, model) = try Self.model(
            Self.adam, [Self.parameter("w", [2, 2], "normal"), Self.parameter("b", [1])])
        let (other, longer) = try Self.model(Self.adam, [Self.parameter("w", [4, 2], "normal")])
        defer {
            registry.shutDown()
            other.shutDown()
        }
        for step in 0..<3 { try model.push(["w": Self.gradient(4, step), "b": [1]]) }
        let before = model.inspected { state in
            (values: Array(state.arena.buffer[0..<5]), slots: state.optimizer.slots.map { Array($0[0]) })
        }
        try model.grow(Growth(rows: [Growth.Rows("w", count: 2, initial: "normal")]))
        #expect(model.values("w") == Array(before.values[0..<4]) + longer.values("w")[4...])
        #expect(model.values("b") == [before.values[4]])
        let after = model.inspected { state in
            (
                slots: state.optimizer.slots.map { Array($0[0]) }, counts: state.optimizer.counts,
                started: state.optimizer.exportState().isStarted
            )
        }
        #expect(after.slots == before.slots.map { $0 + [0, 0, 0, 0] })
        #expect(after.counts == [3, 3] && after.started == [true, true])
    }

    @Test("AdaFactor's row factor gets the rows, and its column factor stays")
    func factors() throws {
        let (registry, model) = try Self.model(["optimizer": "AdaFactor"], [Self.parameter("w", [2, 3], "ones")])
        defer { registry.shutDown() }
        try model.push(["w": [1, 2, 3, 4, 5, 6]])
        let before = model.inspected { $0.optimizer.slots.map { Array($0[0]) } }
        try model.grow(Growth(rows: [Growth.Rows("w", count: 1, initial: "zeros")]))
        let after = model.inspected { $0.optimizer.slots.map { Array($0[0]) } }
        #expect(after[2] == before[2] + [0] && after[3] == before[3] && before[3].count == 3)
        #expect(after[0] == before[0] + [0, 0, 0])
    }

    @Test("a model with groups: the new parameter is last, in its group, whatever the globs say")
    func groups() throws {
        let settings: SettingValue = [
            "optimizer": "adam", "learning_rate": 0.01, "default_group": true,
            "groups": [["name": "conv", "params": ["conv*"]], ["name": "heads", "params": ["h"]]],
        ]
        let names: [Name] = ["conv1", "h", "z"]
        let (registry, model) = try Self.model(settings, names.map { Self.parameter($0, [2]) })
        defer { registry.shutDown() }
        try model.grow(Growth(added: [Self.parameter("conv2", [1])]))
        try model.grow(Growth(added: [Self.parameter("conv3", [1]), Self.parameter("y", [1])], group: "conv"))
        let layout = model.layout
        #expect(layout.parameters.map(\.name) == ["conv1", "h", "z", "conv2", "conv3", "y"])
        let groups = layout.parameters.map { $0.groupIndex.map { layout.groups[$0].name } }
        #expect(groups == ["conv", "heads", "default", "default", "conv", "conv"])
        #expect(throws: ServingError.self) { try model.grow(Growth(added: [Self.parameter("q", [1])], group: "hads")) }
    }

    @Test("averages take in what is new with the value that it has then")
    func averages() throws {
        var settings = Self.adam
        settings = settings.setting("averages", to: ["ema": ["decay": 0.5]])
        let (registry, model) = try Self.model(settings, [Self.parameter("w", [1, 2], "ones")])
        defer { registry.shutDown() }
        try model.push(["w": [1, 1]])
        try model.push(["w": [1, -1]])
        let before = try Array(model.publication.current.values(of: "ema").buffer[0..<2])
        try model.grow(
            Growth(added: [Self.parameter("x", [1], "ones")], rows: [Growth.Rows("w", count: 1, initial: "ones")]))
        #expect(try Array(model.publication.current.values(of: "ema").buffer[0..<5]) == before + [1, 1, 1])
        try model.push(["x": [1]])
        let now = model.values("x")[0]
        #expect(try model.publication.current.values(of: "ema").buffer.base[4] == 0.5 + 0.5 * now)
    }

    @Test("a growth comes back after a start, and a restore or a rollback brings back the layout of its time")
    func comesBack() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try model.push(RecoveryTests.gradients(1))
        let (small, saved) = (model.digest, try registry.save(model))
        try model.grow(
            Growth(added: [Self.parameter("x", [2], "ones")], rows: [Growth.Rows("w", count: 2, initial: "ones")]))
        try model.push(["w": [1, 2, 3, 4, 5], "x": [1, 2]])
        let large = model.digest
        #expect(model.publication.current.facts.layoutChanges.shapes == ["w": 3, "x": 3])
        registry.shutDown()

        registry = try directory.open()
        var again = try registry.model(named: "m")
        #expect(again.digest == large && again.values("x").count == 2)
        #expect(again.publication.current.facts.layoutChanges.shapes == ["w": 3, "x": 3])
        _ = try registry.restore(again, saved.id)
        #expect(again.digest == small && again.layout.parameters.map(\.name) == ["w", "v"])
        #expect(again.values("w").count == 3)
        try again.push(RecoveryTests.gradients(2))
        let continued = again.digest
        registry.shutDown()

        registry = try directory.open()
        again = try registry.model(named: "m")
        #expect(again.digest == continued)
        registry.shutDown()
    }

    @Test("a rollback to a step before the growth brings back the smaller layout, and one after it the larger")
    func rollback() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try model.push(RecoveryTests.gradients(1))
        let small = model.digest
        try model.grow(Growth(added: [Self.parameter("x", [2], "ones")]))
        try model.push(["x": [1, 2]])
        let large = model.digest
        try model.push(["x": [1, 2]])
        _ = try registry.rollback(model, toStep: 2)
        #expect(model.digest == large)
        _ = try registry.rollback(model, toStep: 0)
        #expect(model.values("x").isEmpty && model.values("w") == [1, -2, 0.5])
        try model.push(RecoveryTests.gradients(1))
        #expect(model.digest == small)
    }

    @Test(
        "pushes that were read for the layout before a growth are applied if they fit, and refused with the shape if not"
    )
    func pushesOfBefore() throws {
        let (registry, model) = try Self.model(Self.adam, [Self.parameter("w", [2, 1]), Self.parameter("b", [1])])
        defer { registry.shutDown() }
        let (fits, short) = (try model.makePush(["b": [1]]), try model.makePush(["w": [1, 1]]))
        try model.grow(
            Growth(added: [Self.parameter("x", [3])], rows: [Growth.Rows("w", count: 1, initial: "zeros")]))
        #expect(try model.perform(Change.push(fits)).step == 1)
        #expect(model.values("b")[0] != 0 && model.values("w") == [0, 0, 0])
        #expect {
            try model.perform(Change.push(short))
        } throws: { error in
            guard case .invalid(let complaints)? = error as? ServingError else { return false }
            return complaints.map(\.pointer) == ["/gradients/w"]
                && complaints[0].detail == "`w` has shape [3, 1] since version 2; pull again, and push that shape"
        }
    }

    @Test("pushes that a round holds count with zeros for what they lack, after a start too")
    func round() throws {
        let settings: SettingValue = [
            "optimizer": "sgd", "learning_rate": 1, "consistency": ["mode": "sync", "workers": 2],
        ]
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        var model = try registry.make(settings, [("w", [0, 0])])
        _ = try model.push(["w": [2, 4]], seq(1, "a"))
        try model.grow(Growth(added: [Self.parameter("x", [1])], rows: [Growth.Rows("w", count: 1, initial: "ones")]))
        registry.shutDown()
        registry = try directory.open()
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        #expect(model.inspected { $0.round.held.count } == 1)
        _ = try model.push(["w": [2, 2, 2], "x": [4]], seq(1, "b"))
        #expect(model.values("w") == [-2, -3, 0] && model.values("x") == [-2])
    }

    // MARK: Moving and freezing

    /// Two groups with the model's optimizer, and one with another.
    static let grouped: SettingValue = [
        "optimizer": ["type": "Adam", "framework": "torch"], "learning_rate": 0.5,
        "groups": [
            ["name": "a", "params": ["w", "v"]], ["name": "b", "params": ["u"], "lr": 0.25],
            ["name": "c", "params": ["t"], "optimizer": ["type": "SGD", "momentum": 0.5]],
        ],
    ]

    private static func groupOf(_ name: Name, _ model: Model) -> Name? {
        let layout = model.layout
        return layout.index(of: name).flatMap { layout.parameters[$0].groupIndex }.map { layout.groups[$0].name }
    }

    private static func slot(_ slot: String, of name: Name, _ model: Model) -> [Float] {
        model.inspected { state in
            guard let index = state.layout.index(of: name) else { return [] }
            return state.optimizer.slots.first { $0.name == slot }.map { Array($0[index]) } ?? []
        }
    }

    @Test("a parameter that moves keeps its place, its values and its slots, and has the rate of its new group")
    func moves() throws {
        let (registry, model) = try Self.model(Self.grouped, ["w", "v", "u", "t"].map { Self.parameter($0, [1]) })
        defer { registry.shutDown() }
        try model.push(["w": [1], "v": [1], "u": [1]])
        let (moments, values) = (Self.slot("exp_avg_sq", of: "v", model), model.values("v"))
        try model.patch(["parameters": ["v": ["group": "b"]]])
        #expect(model.layout.parameters.map(\.name) == ["w", "v", "u", "t"])
        #expect(Self.groupOf("v", model) == "b" && Self.groupOf("w", model) == "a")
        #expect(Self.slot("exp_avg_sq", of: "v", model) == moments && moments != [0] && model.values("v") == values)
        #expect(model.inspected { $0.optimizer.counts } == [1, 1, 1, 0])
        try model.push(["v": [1]])
        // torch's Adam with equal gradients moves by lr at each step: 0.5, then 0.25 in the new group.
        #expect(abs(model.values("v")[0] + 0.75) < 1e-5)
    }

    @Test("a parameter that moves to another optimizer starts there as in a new model")
    func moveToAnotherOptimizer() throws {
        let (registry, model) = try Self.model(Self.grouped, ["w", "v", "u", "t"].map { Self.parameter($0, [1]) })
        defer { registry.shutDown() }
        try model.push(["w": [1], "v": [1]])
        let before = model.publication.current.facts
        try model.patch(["parameters": ["v": ["group": "c"]], "learning_rate": 0.125])
        let after = model.publication.current.facts
        #expect(before.resets(in: after, of: ["w", "v"]) == ["v"])
        #expect(Self.slot("exp_avg", of: "v", model).isEmpty && Self.slot("momentum_buffer", of: "v", model) == [0])
        #expect(model.inspected { $0.optimizer.counts } == [1, 0, 0, 0])
        #expect(after.settings["learning_rate"] == 0.125)
        #expect(throws: ServingError.self) { try model.patch(["parameters": ["u": ["group": "a"]]]) }
        #expect(throws: ServingError.self) { try model.patch(["parameters": ["u": ["group": "d"]]]) }
        #expect(throws: ServingError.self) { try model.patch(["parameters": ["u": ["lr": 0.5]]]) }
        #expect(throws: ServingError.self) { try model.patch(["parameters": 3]) }
        #expect(after.layoutChanges == model.publication.current.facts.layoutChanges)
    }

    @Test("a frozen parameter keeps its slots and has no gradient; it continues where it was, after a start too")
    func freezes() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(Self.adam, [("w", [0]), ("v", [0])])
        try model.push(["w": [1], "v": [2]])
        let (late, moments) = (try model.makePush(["w": [1]]), Self.slot("exp_avg", of: "w", model))
        try model.patch(["parameters": ["w": ["trainable": false]]])
        #expect(throws: ServingError.self) { try model.perform(Change.push(late)) }
        try model.push(["v": [1]])
        let digest = model.digest
        registry.shutDown()
        registry = try directory.open()
        defer { registry.shutDown() }
        let again = try registry.model(named: "m")
        #expect(again.digest == digest && again.layout.parameters.map(\.isTrainable) == [false, true])
        try again.patch(["parameters": ["w": ["trainable": true]]])
        #expect(Self.slot("exp_avg", of: "w", again) == moments && moments != [0])
        #expect(again.inspected { $0.optimizer.counts } == [1, 2])
        try again.push(["w": [1]])
    }

    @Test("a growth that cannot be applied changes nothing: names, groups, rows, values, memory, versions")
    func refusals() throws {
        let (registry, model) = try Self.model(
            Self.adam, [Self.parameter("w", [2, 2]), Self.parameter("s", [])], limit: 1 << 20)
        defer { registry.shutDown() }
        let before = (model.digest, model.publication.current.version)
        let refused: [(Growth, String)] = [
            (Growth(added: [Self.parameter("x", [1]), Self.parameter("w", [1])]), "/add/w"),
            (Growth(added: [Self.parameter("x", [1], "nromal")]), "/add/x/init/type"),
            (Growth(added: [Self.parameter("x", [1])], group: "heads"), "/group"),
            (Growth(rows: [Growth.Rows("v", count: 1, initial: "zeros")]), "/rows/v"),
            (Growth(rows: [Growth.Rows("s", count: 1, initial: "zeros")]), "/rows/s"),
            (Growth(rows: [Growth.Rows("w", count: .max, initial: "zeros")]), "/rows/w/count"),
        ]
        for (growth, pointer) in refused {
            #expect {
                try model.grow(growth)
            } throws: { error in
                guard case .invalid(let complaints)? = error as? ServingError else { return false }
                return complaints.map(\.pointer) == [pointer]
            }
        }
        #expect(throws: ServingError.self) { try model.grow(Growth(added: [Self.parameter("x", [1 << 20])])) }
        #expect(throws: ServingError.self) { try model.grow(Growth(added: [Self.parameter("x", [1])]), ifVersion: [7]) }
        #expect((model.digest, model.publication.current.version) == before)
    }
}
