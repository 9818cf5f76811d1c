// One table of definitions with every rule and option, for general tests.

import Names

@testable import Optimizers

enum EveryRule {
    /// The object `optimizer` of each rule and of each of its options that changes the arithmetic.
    static let definitions = [
        #"{"type":"SGD"}"#,
        #"{"type":"SGD","momentum":0.9,"dampening":0.3}"#,
        #"{"type":"SGD","momentum":0.9,"nesterov":true}"#,
        #"{"type":"Momentum","momentum":0.9}"#,
        #"{"type":"Momentum","momentum":0.9,"use_nesterov":true}"#,
        #"{"type":"Adagrad"}"#,
        #"{"type":"Adagrad","update_slots":false}"#,
        #"{"type":"Adadelta"}"#,
        #"{"type":"Adam"}"#,
        #"{"type":"Adam","use_nesterov":true}"#,
        #"{"type":"Adam","use_amsgrad":true}"#,
        #"{"type":"Adam","use_lazy":true}"#,
        #"{"type":"Adam","use_offload":true}"#,
        #"{"type":"AdamOffload"}"#,
        #"{"type":"LazyAdam"}"#,
        #"{"type":"AdaMax"}"#,
        #"{"type":"AdamWeightDecay"}"#,
        #"{"type":"ASGD","t0":2.0}"#,
        #"{"type":"FTRL","l1":0.01,"l2":0.02}"#,
        #"{"type":"FTRL","lr_power":-0.6}"#,
        #"{"type":"ProximalAdagrad","l1":0.01,"l2":0.02}"#,
        #"{"type":"RMSProp","momentum":0.5}"#,
        #"{"type":"RMSProp","centered":true}"#,
        #"{"type":"Rprop"}"#,
        #"{"type":"AdaFactor","relative_step":false}"#,
        #"{"type":"Lamb"}"#,
        #"{"type":"LARS","optimizer":{"type":"Momentum","momentum":0.9}}"#,
        #"{"type":"LARS","use_clip":true,"optimizer":"Adam"}"#,
        #"{"type":"LARS","optimizer":"Lamb"}"#,
        #"{"type":"SGD","framework":"torch"}"#,
        #"{"type":"SGD","framework":"torch","momentum":0.9,"nesterov":true,"maximize":true}"#,
        #"{"type":"Adam","framework":"torch"}"#,
        #"{"type":"Adam","framework":"torch","amsgrad":true,"maximize":true}"#,
        #"{"type":"AdamW","framework":"torch"}"#,
        #"{"type":"Adagrad","framework":"torch","lr_decay":0.1}"#,
        #"{"type":"RMSprop","framework":"torch"}"#,
        #"{"type":"RMSprop","framework":"torch","momentum":0.9}"#,
        #"{"type":"RMSprop","framework":"torch","centered":true}"#,
        #"{"type":"Adadelta","framework":"torch"}"#,
        #"{"type":"Adamax","framework":"torch"}"#,
        #"{"type":"Rprop","framework":"torch"}"#,
        #"{"type":"ASGD","framework":"torch","t0":2.0}"#,
        #"{"type":"NAdam","framework":"torch"}"#,
        #"{"type":"NAdam","framework":"torch","decoupled_weight_decay":true}"#,
        #"{"type":"RAdam","framework":"torch"}"#,
    ]

    static let shapes: [Name: [Int]] = [
        "a.weight": [3, 16, 2], "b.beta": [5], "c.weight": [7, 33], "d.bias": [1], "e.bias": [64],
    ]

    /// A model of the rule that uses as much of the pipeline as the rule supports.
    static func model(_ optimizer: String, catalogue: Catalogue = .builtin) throws -> Replay {
        let setting = try SettingJSON.read(optimizer)
        let isTorch = setting["framework"] != nil
        let name = setting["type"]?.stringValue ?? ""
        let inner = setting["optimizer"]?["type"]?.stringValue ?? setting["optimizer"]?.stringValue ?? name
        let hasScale = !isTorch && !["AdamWeightDecay", "ASGD", "Rprop", "Lamb"].contains(inner)
        let hasGroups = !["FTRL", "AdaFactor"].contains(name)
        let body = """
            {"optimizer":\(optimizer),"learning_rate":0.05
            \(isTorch && name == "Rprop" ? "" : #","weight_decay":0.1"#)
            \(hasScale ? #","loss_scale":8"# : "")
            \(hasGroups ? groups(isTorch: isTorch) : "")}
            """
        let values = shapes.mapValues { shape in [Float](repeating: 0, count: shape.reduce(1, *)) }
        let replay = try Replay(body, values, shapes: shapes, catalogue: catalogue)
        Noise.fill(replay.current, seed: 1)
        return replay
    }

    private static func groups(isTorch: Bool) -> String {
        let centralization = isTorch ? "" : #","grad_centralization":true"#
        return #","groups":[{"name":"x","params":["a*"],"lr":0.01\#(centralization)},{"name":"y","params":["*"]}]"#
    }
}

/// Numbers from -1 to 1 that look random and never change.
enum Noise {
    static func fill(_ buffer: FloatBuffer, seed: UInt64) {
        let generator = CounterGenerator(seed: seed, name: "noise")
        for i in 0..<buffer.count { buffer.base[i] = Float(2 * generator.unit(UInt64(i)) - 1) }
    }
}

extension FloatBuffer {
    /// Whether no value is NaN or infinite.
    var isFinite: Bool { (0..<count).allSatisfy { base[$0].isFinite } }
}

extension Replay {
    /// Gradients of every parameter, different at each step.
    func noise(step: Int) -> Gradients {
        var gradients = Gradients(
            dense: FloatBuffer(owed: optimizer.layout.count), parameterCount: optimizer.layout.parameters.count)
        Noise.fill(gradients.dense, seed: UInt64(100 + step))
        gradients.isDense = gradients.isDense.map { _ in true }
        return gradients
    }

    /// Whether no slot contains NaN or infinity.
    var areSlotsFinite: Bool { optimizer.slots.allSatisfy(\.buffer.isFinite) }

    /// The bits of parameters, slots, scalars and step.
    var bits: [[UInt32]] {
        [all.map(\.bitPattern)] + optimizer.slots.map { $0.buffer[0..<$0.buffer.count].map(\.bitPattern) }
            + optimizer.parameterScalars.sorted { $0.key < $1.key }.map { $0.value.map { Float($0).bitPattern } }
            + [[UInt32(optimizer.step)], optimizer.isStarted.map { $0 ? 1 : 0 }, optimizer.counts.map(UInt32.init)]
    }
}
