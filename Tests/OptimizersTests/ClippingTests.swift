// Clipping: torch's recorded runs, and the order of the pipeline worked out by hand.

import Names
import Testing

@testable import Optimizers

@Suite("Clipping")
struct ClippingTests {
    static let cases = GoldenCase.names(in: "clip")

    @Test("replays to torch's parameters and norms at every step, fused and staged", arguments: cases, [false, true])
    func golden(_ name: String, isStaged: Bool) throws {
        let golden = try GoldenCase.read(name, folder: "clip")
        let definition = try #require(golden["definition"])
        let bound = definition["clip"]?["global_norm"]?.numberValue
        let replay = try Replay(partial: definition)
        replay.optimizer.isStaged = isStaged
        let steps = try #require(golden["steps"]?.elements)
        for (step, record) in steps.enumerated() {
            let report = try replay.push(replay.gradients(golden: record["gradients"] ?? .null))
            for entry in record["parameters"]?.entries ?? [] {
                let (values, reference) = (replay[entry.key], GoldenCase.values(entry.value))
                let stray = zip(values, reference).first { !GoldenTests.isNear($0, $1) }
                #expect(values.count == reference.count && stray == nil, "step \(step), \(entry.key)")
            }
            guard let bound, let norm = record["grad_norm_before_clip"]?.numberValue else { continue }
            #expect(abs(report.gradientNorm - norm) < 1e-6 * norm, "step \(step)")
            let clipped = try #require(report.clippedGradientNorm)
            #expect(abs(clipped - min(norm, bound)) < 1e-5 * bound, "step \(step)")
        }
        #expect(Self.cases.count == 7 && steps.count >= 4)
    }

    private static func model(_ rest: String, staged: Bool = false) throws -> Replay {
        let model = try Replay(#"{"optimizer":"sgd","learning_rate":0.1\#(rest)}"#, ["v": [1], "w": [3, 4]])
        model.optimizer.isStaged = staged
        return model
    }

    @Test("bounds one norm over all parameters, and tells it before and after", arguments: [false, true])
    func globalNorm(_ staged: Bool) throws {
        let model = try Self.model(#","clip":{"global_norm":6.5}"#, staged: staged)
        // |g| = sqrt(3^2 + 4^2 + 12^2) = 13.
        let report = try model.push(["v": [3], "w": [4, 12]])
        let factor = Float(6.5 / (13 + 1e-6))
        #expect(model["v"] == [1 - 0.1 * (3 * factor)])
        #expect(model["w"] == [3 - 0.1 * (4 * factor), 4 - 0.1 * (12 * factor)])
        #expect(report.gradientNorm == 13)
        #expect(abs((report.clippedGradientNorm ?? 0) - 6.5) < 1e-6)
        let small = try model.push(["v": [0.5]])
        #expect(small.gradientNorm == 0.5 && small.clippedGradientNorm == 0.5)
    }

    @Test("divides by the norm plus 1e-6, as torch does")
    func epsilon() throws {
        let model = try Self.model(#","clip":{"global_norm":1e-6}"#)
        // 1e-6 / (4e-6 + 1e-6) = 0.2, and not 0.25.
        let report = try model.push(["v": [4e-6]])
        #expect(abs((report.clippedGradientNorm ?? 0) - 0.8e-6) < 1e-12)
    }

    @Test("bounds each value, and tells the norm before and after", arguments: [false, true])
    func value(_ staged: Bool) throws {
        let model = try Self.model(#","clip":{"value":2}"#, staged: staged)
        let report = try model.push(["v": [-3], "w": [1, 12]])
        #expect(model["v"] == [1 + 0.1 * 2] && model["w"] == [3 - 0.1, 4 - 0.1 * 2])
        #expect(report.gradientNorm == 154.0.squareRoot() && report.clippedGradientNorm == 3)
    }

    @Test("tells no norm after clipping where the definition has no clip, or nothing was updated")
    func unclipped() throws {
        #expect(try Self.model("").push(["v": [3]]).clippedGradientNorm == nil)
        let model = try Self.model(#","clip":{"value":2},"on_nonfinite":"skip""#)
        let report = try model.push(["v": [.infinity]])
        #expect(!report.applied && report.overflow && report.clippedGradientNorm == nil)
    }

    @Test("comes after unscaling and before decay and centralization", arguments: [false, true])
    func order(_ staged: Bool) throws {
        let model = try Replay(
            """
            {"optimizer":"sgd","learning_rate":0.1,"weight_decay":0.3,"loss_scale":3,"clip":{"global_norm":0.25},
             "groups":[{"params":["w"],"grad_centralization":true}]}
            """, ["w": [0.3, 0.7]], shapes: ["w": [1, 2]])
        model.optimizer.isStaged = staged
        try model.push(["w": [1.1, 0.2]])
        let g = [Float(1.1) * Float(1.0 / 3), Float(0.2) * Float(1.0 / 3)]
        let norm = (Double(g[0]) * Double(g[0]) + Double(g[1]) * Double(g[1])).squareRoot()
        let factor = Float(0.25 / (norm + 1e-6))
        let decayed = [Float(0.3) * 0.3 + g[0] * factor, Float(0.7) * 0.3 + g[1] * factor]
        let mean = Float((Double(decayed[0]) + Double(decayed[1])) / 2)
        #expect(model["w"] == [0.3 - 0.1 * (decayed[0] - mean), 0.7 - 0.1 * (decayed[1] - mean)])
    }

    @Test("gives equal bits fused and staged for every rule", arguments: EveryRule.definitions)
    func everyRule(_ definition: String) throws {
        let clips = [#"{"global_norm":0.5}"#, #"{"value":0.1,"per":"worker"}"#].map { try? SettingJSON.read($0) }
        for clip in clips {
            let models = try [false, true].map { isStaged in
                let model = try EveryRule.model(definition)
                let clipping = model.optimizer.definition.setting("clip", to: clip)
                model.optimizer = try model.optimizer.reconfigured(with: clipping)
                model.optimizer.isStaged = isStaged
                return model
            }
            let unclipped = try EveryRule.model(definition)
            for step in 0..<3 {
                let reports = try models.map { try $0.push($0.noise(step: step)) }
                try unclipped.push(unclipped.noise(step: step))
                #expect(models[0].bits == models[1].bits, "step \(step)")
                #expect(abs(reports[0].gradientNorm - reports[1].gradientNorm) <= 1e-9 * reports[1].gradientNorm)
                let clipped = try reports.map { try #require($0.clippedGradientNorm) }
                #expect(abs(clipped[0] - clipped[1]) <= 1e-9 * clipped[1] && clipped[1] < reports[1].gradientNorm)
            }
            #expect(models[0].bits[1...] != unclipped.bits[1...] || models[0].bits[0] != unclipped.bits[0])
        }
    }

    @Test("adds entries of one row before it takes the norm, and such a row decays once", arguments: [false, true])
    func sparse(_ staged: Bool) throws {
        let rest = #","weight_decay":0.5,"clip":{"global_norm":2.5}"#
        let models = try (0..<2).map { _ in try SparseTests.model(#""ftrl""#, rest) }
        for model in models { model.optimizer.isStaged = staged }
        // Row 2 adds up to [3, 4]: the norm is 5.
        let report = try SparseTests.push(models[0], [2, 2], [1, 5, 2, -1])
        try SparseTests.push(models[1], [2], [3, 4])
        #expect(report.gradientNorm == 5 && abs((report.clippedGradientNorm ?? 0) - 2.5) < 1e-6)
        #expect(models[0].bits == models[1].bits)
        #expect(models[0]["w"][4] != 5)
    }

    @Test("counts each entry on its own where the definition takes it on its own")
    func entries() throws {
        let model = try SparseTests.model(#""proximal_adagrad""#, #","unique":false,"clip":{"global_norm":100}"#)
        let report = try SparseTests.push(model, [2, 2], [1, 5, 2, -1])
        #expect(report.gradientNorm == 31.0.squareRoot() && report.clippedGradientNorm == 31.0.squareRoot())
    }

    @Test("brings gradients within the bound whose squares exceed float32")
    func large() throws {
        let model = try Self.model(#","clip":{"global_norm":1}"#)
        let report = try model.push(["v": [3e38], "w": [3e38, 3e38]])
        #expect(report.gradientNorm.isFinite && abs((report.clippedGradientNorm ?? 0) - 1) < 1e-6)
        #expect(abs(model["v"][0] - (1 - 0.1 / Float(3).squareRoot())) < 1e-6)
    }

    @Test("skips gradients that unscaling makes infinite, and refuses those that arrive so")
    func overflow() throws {
        for clip in [#"{"global_norm":1}"#, #"{"value":1}"#] {
            let model = try Self.model(#","loss_scale":1e-38,"clip":\#(clip)"#)
            let before = model.bits
            let report = try model.push(["v": [1], "w": [1, 1e10]])
            #expect(!report.applied && report.overflow && report.gradientNorm == .infinity)
            #expect(report.clippedGradientNorm == nil && model.bits == before)
            #expect(throws: OptimizerError.nonFiniteGradient(parameter: "w")) { try model.push(["w": [1, .infinity]]) }
            #expect(model.bits == before)
        }
    }

    @Test("is not repeated on gradients that were clipped before their reduction")
    func once() throws {
        let model = try Self.model(#","clip":{"global_norm":1,"per":"worker"}"#)
        var gradients = model.gradients(["v": [3]])
        (gradients.isUnscaled, gradients.isClipped) = (true, true)
        let report = try model.push(gradients)
        #expect(model["v"] == [0.7] && report.gradientNorm == 3 && report.clippedGradientNorm == 3)
    }

    @Test("takes the memory that it counts")
    func memory() throws {
        let model = try SparseTests.model(#""lazy_adam""#, #","clip":{"value":1}"#)
        var gradients = model.gradients([:])
        gradients.sparse[0] = SparseRows(indices: [1, 1], values: FloatBuffer(owed: 4))
        var counted: [Int] = []
        let stated = model.optimizer.updateBytes(gradients, areModest: true)
        _ = try model.optimizer.update(
            &gradients, from: model.current.base, to: model.next.base, areModest: true
        ) { counted.append($0) }
        let sums = gradients.sparse[0].map { $0.values.count * 4 } ?? 0
        #expect(sums == 8 && counted == [stated, stated] && stated >= sums)
    }
}

@Suite("Clipping in rounds")
struct RoundClippingTests {
    @Test("bounds each worker's gradients before the reduction, or leaves them to the update")
    func perWorker() throws {
        let round = try Round(["v": [1], "w": [2, 1]])
        let contributions = [
            round.contribution(["v": .dense([6]), "w": .rows([1, 1], [3, 5])]),
            round.contribution(["v": .dense([1])]),
        ]
        // The first has, unscaled, the norm sqrt(3^2 + 4^2) = 5.
        let norm = try Self.clip(#"{"global_norm":2.5,"per":"worker"}"#)
        let byNorm = Self.reduced(contributions, norm, round)
        #expect(byNorm.isClipped && abs((round.dense(byNorm, "v")?[0] ?? 0) - 2) < 1e-5)
        #expect(abs((round.rows(byNorm, "w")?.values[0] ?? 0) - 2) < 1e-5)
        let byValue = try Self.reduced(contributions, Self.clip(#"{"value":2,"per":"worker"}"#), round)
        #expect(byValue.isClipped && round.dense(byValue, "v") == [2.5])
        #expect(round.rows(byValue, "w")?.values == [2])
        let later = try Self.reduced(contributions, Self.clip(#"{"global_norm":2.5}"#), round)
        #expect(!later.isClipped && round.dense(later, "v") == [3.5] && round.rows(later, "w")?.values == [4])
    }

    private static func clip(_ json: String) throws -> GradientClip {
        try GradientClip(SettingJSON.read(json), pointer: "/clip")
    }

    /// The sum of gradients with a loss scale of 2.
    private static func reduced(
        _ contributions: [Contribution], _ clip: GradientClip, _ round: Round
    ) -> Gradients {
        let arena = FloatBuffer(owed: round.layout.count)
        return Reduction.sum
            .combine(contributions, scale: 2, clip: clip, into: arena, layout: round.layout).gradients
    }
}

@Suite("The member clip")
struct ClipReadingTests {
    static func definition(_ clip: String) throws -> SettingValue {
        try SettingJSON.read(#"{"optimizer":"sgd","clip":\#(clip)}"#)
    }

    @Test(
        "is refused with the mistake and what to write",
        arguments: [
            ("1", ExceptionClass.typeError, "/clip", "must be an object"),
            ("null", .typeError, "/clip", "must be an object"),
            ("{}", .typeError, "/clip", "needs a bound"),
            (#"{"per":"worker"}"#, .typeError, "/clip", "needs a bound"),
            (#"{"global_norm":1,"value":1}"#, .valueError, "/clip/value", "remove `global_norm` or `value`"),
            (#"{"global_norm":"1"}"#, .typeError, "/clip/global_norm", "must be a number > 0"),
            (#"{"global_norm":true}"#, .typeError, "/clip/global_norm", "must be a number > 0"),
            (#"{"value":null}"#, .typeError, "/clip/value", "must be a number > 0"),
            (#"{"global_norm":0}"#, .valueError, "/clip/global_norm", "must be a number > 0; got 0"),
            (#"{"value":-1}"#, .valueError, "/clip/value", "must be a number > 0; got -1"),
            (#"{"value":1e-60}"#, .valueError, "/clip/value", "must be a number > 0"),
            (#"{"global_norm":1e39}"#, .valueError, "/clip/global_norm", "too large for float32"),
            (#"{"value":1,"per":"round"}"#, .valueError, "/clip/per", "\"update\" or \"worker\""),
            (#"{"value":1,"per":1}"#, .typeError, "/clip/per", "\"update\" or \"worker\""),
            (#"{"globalnorm":1}"#, .keyError, "/clip/globalnorm", "`global_norm`"),
            (#"{"max_norm":1}"#, .keyError, "/clip/max_norm", "`global_norm`"),
        ])
    func refused(_ clip: String, _ exception: ExceptionClass, _ pointer: String, _ words: String) throws {
        let definition = try Self.definition(clip)
        do {
            _ = try Replay(definition, [ParameterDefinition(name: "w", shape: .scalar)])
            Issue.record("accepted")
        } catch OptimizerError.invalid(let complaint) {
            #expect(complaint.exception == exception && complaint.pointer == pointer)
            #expect(complaint.detail.contains(words), "\(complaint.detail)")
        }
    }

    @Test("means the same with its default written out, and something else with another bound")
    func canonical() throws {
        let parameters = [ParameterDefinition(name: "w", shape: .scalar)]
        let forms = try [
            #"{"global_norm":1}"#, #"{"per":"update","global_norm":1.0}"#, #"{"global_norm":2}"#, #"{"value":1}"#,
            #"{"global_norm":1,"per":"worker"}"#,
        ].map { try Catalogue.builtin.canonical(Self.definition($0), parameters: parameters) }
        let without = try Catalogue.builtin.canonical(SettingJSON.read(#"{"optimizer":"sgd"}"#), parameters: parameters)
        #expect(forms[0] == forms[1])
        for (place, form) in forms.enumerated() where place != 1 {
            #expect(forms.filter { $0 == form }.count == (place == 0 ? 2 : 1) && form != without)
        }
    }

    @Test("is replaced whole by a patch, and null removes it")
    func patch() throws {
        let definition = try Self.definition(#"{"global_norm":1,"per":"worker"}"#)
        let replaced = try MergePatch.apply(SettingJSON.read(#"{"clip":{"value":2}}"#), to: definition)
        #expect(try replaced == Self.definition(#"{"value":2}"#))
        let removed = try MergePatch.apply(SettingJSON.read(#"{"clip":null}"#), to: definition)
        #expect(try removed == SettingJSON.read(#"{"optimizer":"sgd"}"#))
        let model = try Replay(definition, [ParameterDefinition(name: "w", shape: .scalar)])
        try model.push(["w": [3]])
        model.optimizer = try model.optimizer.reconfigured(with: removed)
        #expect(model.optimizer.plan.clip == nil && model.optimizer.step == 1)
    }
}

@Suite("Dry runs of clipping")
struct ClippingDryRunTests {
    private static func stages(_ rest: String) throws -> [DryRun.Stage] {
        let model = try Replay(
            #"{"optimizer":{"type":"sgd"},"learning_rate":0.1,"weight_decay":0.5,"loss_scale":4\#(rest)}"#,
            ["w": [2, 4]])
        let gradients = model.gradients(["w": [12, 16]])
        let run = try model.optimizer.dryRun(gradients, from: model.current.base)
        #expect(Array(gradients.dense[0..<2]) == [12, 16], "a dry run must not change the gradients")
        let pushed = try model.push(gradients)
        #expect(run.report == pushed)
        return run.stages
    }

    @Test("show the stages in the order in which they ran")
    func order() throws {
        let clipped = try Self.stages(#","clip":{"value":3.5}"#)
        #expect(
            clipped.map(\.name) == [
                "flatten_gradients", "scale_grad", "clip_by_value", "decay_weight", "gradients_centralization",
            ])
        #expect(clipped.map { $0.gradients[0].values } == [[12, 16], [3, 4], [3, 3.5], [4, 5.5], [4, 5.5]])
        let reduced = try Self.stages(#","consistency":{"mode":"manual"}"#)
        #expect(
            reduced.map(\.name) == ["flatten_gradients", "scale_grad", "decay_weight", "gradients_centralization"])
        #expect(reduced.map { $0.gradients[0].values } == [[12, 16], [3, 4], [4, 6], [4, 6]])
        let plain = try Self.stages("")
        #expect(plain.map(\.name) == ["flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"])
        #expect(plain.map { $0.gradients[0].values } == [[12, 16], [16, 24], [16, 24], [4, 6]])
    }

    @Test("name the bound, and ascend after clipping where the group maximizes")
    func maximize() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"sgd","framework":"torch","maximize":true},"learning_rate":1,"clip":{"global_norm":1}}"#,
            ["w": [0, 0]])
        let run = try model.optimizer.dryRun(model.gradients(["w": [3, 4]]), from: model.current.base)
        try #require(run.stages.count == 5)
        #expect(run.stages[2].name == "clip_by_global_norm")
        #expect(abs(run.stages[2].gradients[0].values[0] - 0.6) < 1e-6)
        #expect(abs(run.stages[3].gradients[0].values[0] + 0.6) < 1e-6)
        #expect(abs(run.updates[0].values[0] - 0.6) < 1e-6)
    }

    @Test("return as many values as they state")
    func values() throws {
        let model = try Replay(#"{"optimizer":"sgd","clip":{"value":1}}"#, ["w": [1, 2]])
        let gradients = model.gradients(["w": [3, 4]])
        let run = try model.optimizer.dryRun(gradients, from: model.current.base)
        let told = (run.updates + run.stages.flatMap(\.gradients)).reduce(0) { $0 + $1.values.count }
        #expect(told == 12 && model.optimizer.valuesTold(by: gradients, showingStages: true) == 12)
    }
}
