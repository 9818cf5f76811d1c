// The fused kernels give the same bits as the stages of a dry run and of a subclass.

import CKernels
import Testing

@testable import Optimizers

@Suite("Fused and staged updates")
struct FusedAndStagedTests {
    @Test("give equal bits for every rule", arguments: EveryRule.definitions)
    func equalBits(_ definition: String) throws {
        let (fused, staged) = (try EveryRule.model(definition), try EveryRule.model(definition))
        staged.optimizer.isStaged = true
        let before = fused.bits
        for step in 0..<4 {
            let one = try fused.push(fused.noise(step: step))
            let other = try staged.push(staged.noise(step: step))
            #expect(fused.bits == staged.bits, "step \(step)")
            #expect(abs(one.gradientNorm - other.gradientNorm) <= 1e-9 * other.gradientNorm)
            #expect(one.updateRatio != nil && other.updateRatio != nil)
        }
        #expect(fused.bits[0] != before[0], "the test must move something")
    }

    @Test(
        "give equal bits for a sparse gradient", arguments: ["Adam", "LazyAdam", "FTRL", "ProximalAdagrad"],
        [true, false])
    func sparse(_ name: String, unique: Bool) throws {
        let json =
            #"{"optimizer":"\#(name)","learning_rate":0.1,"weight_decay":0.1,"loss_scale":4,"unique":\#(unique)}"#
        let models = try (0..<2).map { _ in
            try Replay(json, ["w": (0..<12).map { Float($0) - 5.5 }], shapes: ["w": [4, 3]])
        }
        models[1].optimizer.isStaged = true
        for step in 0..<3 {
            for model in models {
                var gradients = model.gradients([:])
                let values = FloatBuffer(owed: 9)
                Noise.fill(values, seed: UInt64(step))
                gradients.sparse[0] = SparseRows(indices: [2, 0, 2], values: values)
                try model.push(gradients)
            }
            #expect(models[0].bits == models[1].bits, "step \(step)")
        }
    }

    @Test("a push of some parameters equals the same push of them alone")
    func partialPush() throws {
        let model = try Replay(
            #"{"optimizer":{"type":"Momentum","momentum":0.9},"learning_rate":0.1}"#,
            ["a": [1, 2], "b": [3], "c": [4]])
        try model.push(["a": [1, 1], "c": [1]])
        #expect(model["b"] == [3])
        #expect(model["a"] == [0.9, 1.9] && model["c"] == [3.9])
        try model.push(["b": [1]])
        #expect(model["b"] == [2.9] && model["a"] == [0.9, 1.9])
    }
}

@Suite("Kernels")
struct KernelTests {
    static let isas = [PK_BASELINE, PK_AVX2, PK_AVX512].filter { pk_has_isa($0) != 0 }

    /// Runs every rule over odd counts: full vectors, a partial vector, more than one block.
    @Test(
        "give the same bits on every instruction set of this machine", arguments: 0..<Int(PK_RULE_COUNT.rawValue),
        [1, 16, 77, 70_001])
    func sameBits(_ rule: Int, _ count: Int) {
        let results = Self.isas.map { run(pk_rule(UInt32(rule)), $0, count) }
        #expect(Set(results).count == 1)
    }

    @Test(
        "give the same bits past the caches, and where new values begin within a line",
        arguments: 0..<Int(PK_RULE_COUNT.rawValue), [16, 77, 70_001])
    func streamed(_ rule: Int, _ count: Int) {
        for isa in Self.isas {
            let usual = run(pk_rule(UInt32(rule)), isa, count)
            #expect(run(pk_rule(UInt32(rule)), isa, count, streams: 1) == usual)
            #expect(run(pk_rule(UInt32(rule)), isa, count, streams: 1, shift: 1) == usual)
        }
    }

    private func run(
        _ rule: pk_rule, _ isa: pk_isa, _ count: Int, streams: Int32 = 0, shift: Int = 0
    ) -> [UInt8] {
        let buffers = (0..<6).map { seed in
            let buffer = FloatBuffer(owed: count + shift)
            Noise.fill(buffer, seed: UInt64(seed))
            if seed >= 2 { for i in 0..<count { buffer.base[i] = abs(buffer.base[i]) + 0.1 } }
            return buffer
        }
        var update = pk_update()
        update.count = count
        update.weights = UnsafePointer(buffers[0].base)
        update.gradients = UnsafePointer(buffers[1].base)
        update.next = buffers[5].base + shift
        update.streams = streams
        update.slots = (buffers[2].base, buffers[3].base, buffers[4].base)
        update.pass = pk_pass(
            before: 0.5, decay: 0.01, after: 0.25, scales_before: 1, decays: 1, scales_after: 1, reserved: 0)
        update.constants = pk_constants(
            rate: 0.1, momentum: 0.9, beta1: 0.9, beta2: 0.99, one_minus_beta1: 0.1, one_minus_beta2: 0.01,
            epsilon: 1e-6,
            root: 1.5, shrink: 0.99, low: 0.05, high: 0.2, extra: 0.6, option: Self.options[rule.rawValue] ?? 0)
        var sums = pk_sums()
        pk_apply(isa, rule, &update, &sums)
        var bytes = withUnsafeBytes(of: sums) { Array($0) }
        for buffer in buffers.dropLast() { bytes += UnsafeRawBufferPointer(buffer[0..<count]) }
        return bytes + UnsafeRawBufferPointer(buffers[5][shift..<shift + count])
    }

    /// Options that a rule's loop has slots for.
    static let options: [UInt32: Int32] = [
        PK_RULE_FTRL.rawValue: Int32(PK_POWER.rawValue), PK_RULE_ADAM.rawValue: Int32(PK_NESTEROV.rawValue),
        PK_RULE_ADAM_AMSGRAD.rawValue: Int32(PK_AMSGRAD.rawValue),
        PK_RULE_RMSPROP_CENTERED.rawValue: Int32(PK_CENTERED.rawValue),
        PK_RULE_TORCH_RMSPROP_BUFFERED.rawValue: Int32(PK_BUFFERED.rawValue),
        PK_RULE_TORCH_RMSPROP_CENTERED.rawValue: Int32(PK_CENTERED.rawValue | PK_BUFFERED.rawValue),
        PK_RULE_RADAM.rawValue: Int32(PK_RECTIFIED.rawValue),
    ]

    @Test("sums, means and factored moments have the same bits too", arguments: [1, 16, 1000])
    func sameSums(_ columns: Int) {
        let results = Self.isas.map { isa -> [UInt64] in
            let values = FloatBuffer(owed: 7 * columns)
            Noise.fill(values, seed: 3)
            let sum = pk_sum_of_squares(isa, values.base, values.count)
            let factors = FloatBuffer(owed: 7 + columns)
            var scratch = [Double](repeating: 0, count: columns)
            pk_adafactor_matrix(isa, values.base, 7, columns, factors.base, factors.base + 7, 0.3, 1e-30, &scratch)
            pk_center_rows(isa, values.base, 7, columns)
            return [sum.bitPattern] + (values[0..<values.count].map { UInt64($0.bitPattern) })
                + factors[0..<factors.count].map { UInt64($0.bitPattern) }
        }
        #expect(Set(results).count == 1)
    }

    @Test("finds a weight that is not finite wherever it lies", arguments: [0, 15, 16, 76])
    func divergence(_ place: Int) {
        let (w, g) = (FloatBuffer(owed: 77), FloatBuffer(owed: 77))
        w.fill(3e38)
        g.base[place] = -3e38
        var update = pk_update()
        update.count = 77
        update.weights = UnsafePointer(w.base)
        update.gradients = UnsafePointer(g.base)
        update.next = w.base
        update.constants.rate = 1
        var sums = pk_sums()
        pk_apply(pk_best_isa(), PK_RULE_SGD, &update, &sums)
        #expect(sums.nonfinite == 1)
    }
}
