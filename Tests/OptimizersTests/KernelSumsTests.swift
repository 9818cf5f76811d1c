// The sums of the kernels against sums in Double, for values of every size and for every place of `next`.

import CKernels
import Testing

@testable import Optimizers

@Suite("Sums of the kernels")
struct KernelSumsTests {
    /// Where an update writes.
    enum Place: CaseIterable { case apart, overWeights, overGradients }

    /// Sizes of values: usual, with squares beyond float's range, with squares below it, zero, and mixed in one strip.
    static let scales: [[Float]] = [[1], [1e25], [1e-25], [1e-38], [0], [1, 1e25, 1e-25, 0], [1e-25, 0, 1e-19]]

    @Test(
        "are those of Double, wherever the update writes",
        arguments: [1, 15, 1023, 1024, 1025, 70_001], Place.allCases)
    func sums(count: Int, place: Place) {
        for scales in Self.scales {
            let run = Run(count: count, scales: scales)
            let expected = run.expected
            let sums = run.update(place)
            Self.expect(sums.gradient_squares, expected.gradient)
            Self.expect(sums.weight_squares, expected.weight)
            Self.expect(sums.change_squares, expected.change)
        }
    }

    @Test("are not finite where a gradient is not", arguments: [Float.infinity, .nan])
    func notFinite(_ value: Float) {
        let run = Run(count: 2000, scales: [1])
        run.gradients.base[1500] = value
        #expect(!run.update(.apart).gradient_squares.isFinite)
    }

    static func expect(_ sum: Double, _ expected: Double, _ location: SourceLocation = #_sourceLocation) {
        #expect(abs(sum - expected) <= 1e-12 * expected, sourceLocation: location)
    }
}

/// One update with SGD, rate 0.5.
private struct Run {
    let weights, gradients, apart: FloatBuffer

    init(count: Int, scales: [Float]) {
        (weights, gradients, apart) = (
            FloatBuffer(owed: count), FloatBuffer(owed: count), FloatBuffer(owed: count)
        )
        Noise.fill(weights, seed: 1)
        Noise.fill(gradients, seed: 2)
        for index in 0..<count {
            weights.base[index] *= scales[index % scales.count]
            gradients.base[index] *= scales[index % scales.count]
        }
    }

    /// The sums, value by value; the change is that of float32 weights.
    var expected: (gradient: Double, weight: Double, change: Double) {
        var sums = (gradient: 0.0, weight: 0.0, change: 0.0)
        for index in 0..<weights.count {
            let (w, g) = (weights.base[index], gradients.base[index])
            let change = Double((w - 0.5 * g) - w)
            sums.gradient += Double(g) * Double(g)
            sums.weight += Double(w) * Double(w)
            sums.change += change * change
        }
        return sums
    }

    func update(_ place: KernelSumsTests.Place) -> pk_sums {
        var update = pk_update()
        update.count = weights.count
        update.weights = UnsafePointer(weights.base)
        update.gradients = UnsafePointer(gradients.base)
        switch place {
        case .apart: update.next = apart.base
        case .overWeights: update.next = weights.base
        case .overGradients: update.next = gradients.base
        }
        update.constants.rate = 0.5
        var sums = pk_sums()
        pk_apply(pk_best_isa(), PK_RULE_SGD, &update, &sums)
        return sums
    }
}
