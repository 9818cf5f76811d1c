// The catalogue's promises: recorded runs for each rule, names in any spelling, memory counted before it is taken.

import Names
import Testing

@testable import Optimizers

@Suite("Catalogue")
struct CatalogueTests {
    static let recorded: Set<String> = Set(
        GoldenCase.all.compactMap { name in
            guard let golden = try? GoldenCase(name) else { return nil }
            return golden.isTorch ? "torch.\(golden.optimizer)" : golden.optimizer
        })

    @Test("has recorded runs for each of its optimizers", arguments: Catalogue.builtin.names)
    func covered(_ name: String) {
        #expect(Self.recorded.contains(name))
    }

    @Test("has a definition in the table of rules for each of its optimizers", arguments: Catalogue.builtin.names)
    func listed(_ name: String) {
        let isListed = EveryRule.definitions.contains { definition in
            guard let setting = try? SettingJSON.read(definition) else { return false }
            let type = setting["type"]?.stringValue ?? ""
            return name == (setting["framework"] == nil ? type : "torch.\(type)")
        }
        #expect(isListed)
    }

    @Test(
        "finds an optimizer whatever the spelling",
        arguments: ["AdamWeightDecay", "adam_weight_decay", "ADAMWEIGHTDECAY"])
    func spelling(_ name: String) throws {
        let model = try Replay(#"{"optimizer":"\#(name)"}"#, ["w": [1]])
        #expect(model.optimizer.rule is AdamWeightDecay)
    }

    @Test("tells the two frameworks' optimizers of one name apart")
    func frameworks() throws {
        #expect(try Replay(#"{"optimizer":"adam"}"#, ["w": [1]]).optimizer.rule is Adam)
        let torch = try Replay(#"{"optimizer":{"type":"adam","framework":"torch"}}"#, ["w": [1]])
        #expect(torch.optimizer.rule is TorchAdam)
    }

    @Test(
        "refuses what it does not have",
        arguments: [
            (#""momentun""#, ExceptionClass.valueError, "`Momentum`"),
            (#"{"type":"thor","momentum":0.9}"#, .valueError, "activations"),
            (#"{"type":"adamw"}"#, .valueError, "mindspore"), (#"{"momentum":0.9}"#, .typeError, "`type`"),
            ("3", .typeError, "name"),
            (#"{"type":"adam","framework":"tensorflow"}"#, .valueError, "torch"),
            (#"{"type":"momentum","momentum":0.9,"nesterov":true}"#, .typeError, "`use_nesterov`"),
            (#"{"type":"adam","lr":0.1}"#, .keyError, "top level"),
            (#"{"type":"lars","optimizer":{"type":"lars","optimizer":"sgd"}}"#, .valueError, "LARS"),
            (#"{"type":"lars"}"#, .typeError, "optimizer"),
            (#"{"type":"lars","optimizer":{"type":"adam","beta3":1}}"#, .keyError, "`beta1`"),
        ])
    func refused(_ optimizer: String, _ exception: ExceptionClass, _ hint: String) throws {
        let definition = try SettingJSON.read(#"{"optimizer":\#(optimizer),"learning_rate":0.1}"#)
        let parameters = [ParameterDefinition(name: "w", shape: .scalar)]
        let complaint = try #require(
            complaint { () throws(OptimizerError) in
                _ = try Catalogue.builtin.makeOptimizer(definition: definition, parameters: parameters)
            })
        #expect(complaint.exception == exception && complaint.detail.contains(hint), "\(complaint.detail)")
        #expect(complaint.pointer.hasPrefix("/optimizer"))
    }

    @Test("counts an optimizer's memory before any is taken, and never overflows")
    func memory() throws {
        let definition = try SettingJSON.read(#"{"optimizer":"adam"}"#)
        func needed(_ dimensions: [[Int]]) throws -> Int {
            let shapes = dimensions.compactMap { Shape($0) }
            let parameters = shapes.enumerated().map { ParameterDefinition(name: Name("w\($0)"), shape: $1) }
            return try Catalogue.builtin.memoryNeeded(definition: definition, parameters: parameters)
        }
        #expect(try needed([[10, 5]]) == 2 * 50 * 4)
        #expect(try needed([[1 << 50]]) == 2 << 52)
        #expect(Shape([1 << 40, 1 << 40]) == nil && Shape([-1]) == nil)
        #expect(throws: OptimizerError.self) { try needed([[1 << 56], [1 << 56]]) }
    }

    @Test("refuses unknown members of a definition with the nearest name")
    func unknownMember() throws {
        let complaint = complaint { () throws(OptimizerError) in
            _ = try Catalogue.builtin.makeOptimizer(
                definition: .object([
                    .init(key: "optimizer", value: .string("sgd")), .init(key: "learning_rat", value: .number(1)),
                ]),
                parameters: [ParameterDefinition(name: "w", shape: .scalar)])
        }
        #expect(complaint?.exception == .keyError && complaint?.detail.contains("did you mean `learning_rate`") == true)
    }
}

@Suite("Where MindSpore's kernels contradict its documentation")
struct QuirkTests {
    @Test("paramd follows the documentation", arguments: GoldenCase.names(in: "quirks"))
    func documentation(_ name: String) throws {
        let golden = try GoldenCase(name, folder: "quirks")
        let replay = try Replay(golden)
        var isDifferent = false
        for record in golden.steps {
            try replay.push(replay.gradients(golden: record["grads"] ?? .null))
            for entry in record["params_after"]?.entries ?? [] {
                let pairs = zip(replay[entry.key], GoldenCase.values(entry.value))
                if pairs.contains(where: { !GoldenTests.isNear($0, $1) }) { isDifferent = true }
            }
        }
        #expect(isDifferent, "the recorded kernel and the documentation part in this case")
    }
}

@Suite("Definitions meant to break the server")
struct HostileTests {
    @Test("huge extents beside a 0 are no shape", arguments: [[0, 1 << 62, 1 << 62], [1 << 62, 0, 4], [Int.max, 2]])
    func shapes(_ dimensions: [Int]) {
        #expect(Shape(dimensions) == nil)
    }

    @Test("counting the memory of a terabyte takes none", arguments: Catalogue.builtin.names)
    func terabytes(_ name: String) throws {
        let parts = name.split(separator: ".").map(String.init)
        let framework = parts.count == 2 ? #","framework":"torch""# : ""
        let extra = name == "Momentum" ? #","momentum":0.9"# : name == "LARS" ? #","optimizer":"sgd""# : ""
        let rate = name == "AdaFactor" ? "" : #","learning_rate":0.1"#
        let json = #"{"optimizer":{"type":"\#(parts.last ?? "")"\#(framework)\#(extra)}\#(rate)}"#
        let shape = try #require(Shape([2, 1 << 50]))
        let bytes = try Catalogue.builtin.memoryNeeded(
            definition: try SettingJSON.read(json), parameters: [ParameterDefinition(name: "w", shape: shape)])
        #expect(name == "torch.SGD" ? bytes == 0 : bytes >= 1 << 53)
    }

    @Test("a step beyond exact integers, and a glob longer than any name, are refused")
    func extremes() {
        #expect(throws: OptimizerError.self) {
            try Replay(#"{"optimizer":"sgd","step":9223372036854775807}"#, ["w": [1]])
        }
        let glob = String(repeating: "*a", count: 1000)
        #expect(throws: OptimizerError.self) {
            try Replay(#"{"optimizer":"sgd","groups":[{"params":["\#(glob)"]}]}"#, ["w": [1]])
        }
    }

    @Test(
        "a model that starts at a far step trains",
        arguments: [#""adam""#, #"{"type":"NAdam","framework":"torch"}"#, #""asgd""#])
    func farStep(_ optimizer: String) throws {
        let model = try Replay(#"{"optimizer":\#(optimizer),"step":1000000000000}"#, ["w": [1, 2]])
        let report = try model.push(["w": [1, -1]])
        #expect(report.applied && model.all.allSatisfy(\.isFinite) && model.optimizer.step == 1_000_000_000_001)
    }

    @Test("gradients of another model are refused before anything is read")
    func otherModel() throws {
        let (small, large) = (
            try Replay(#"{"optimizer":"adam"}"#, ["w": [1]]),
            try Replay(#"{"optimizer":"adam"}"#, ["a": [1, 2], "b": [3]])
        )
        let before = large.bits
        #expect(throws: OptimizerError.self) { try large.push(small.gradients(["w": [1]])) }
        #expect(large.bits == before)
    }
}
