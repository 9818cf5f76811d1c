// When an update cannot overflow, so that nothing of it need be kept: rules whose arithmetic is bounded tell so by
// `modestRoots`, and updates look at their numbers. Decision 0023 has the bounds.

import CKernels

/// Numbers within which the bounded rules stay far from the end of float32.
enum Modesty {
    /// Weights and gradients: -2^30 to below 2^30.
    static let values: Range<Float> = -0x1p30..<0x1p30
    /// Slots: -2^62 to below 2^62.
    static let slots: Range<Float> = -0x1p62..<0x1p62
    /// Slots under a root.
    static let roots: Range<Float> = 0..<0x1p62
    /// The least that may stand beside a root in a divisor.
    static let leastEpsilon = 0x1p-40
    /// The largest learning rate, momentum and dampening.
    static let mostFactor = 0x1p10
    /// The largest decay of a first moment, whose correction divides by what is left to 1.
    static let mostDecay = 1 - 0x1p-10
    /// The most entries of one sparse gradient, which may all be of one row.
    static let mostEntries = 1 << 20

    /// Whether the divisor's epsilon and the first moment's decay of a rule of Adam's family bound it.
    static func holds(epsilon: Double, decay: Double = 0) -> Bool { epsilon >= leastEpsilon && decay <= mostDecay }
}

extension UpdatePass {
    /// Whether this update, from weights and slots that are modest, leaves all of them finite.
    func staysFinite(with gradients: Gradients) -> Bool {
        guard rules.allSatisfy({ $0.modestRoots != nil }), lossScale <= 0x1p30 else { return false }
        guard rates.allSatisfy({ abs($0) <= Float(Modesty.mostFactor) }), decays.allSatisfy({ $0 <= 1 }),
            abs(unscale ?? 1) <= 1, abs(scaleAfter ?? 1) <= 1
        else { return false }
        return gradients.areModest(in: layout)
    }

    /// Whether weights and slots are modest; asked where it is not known, and after an update that may not stay finite.
    func isModest(_ weights: UnsafePointer<Float>) -> Bool {
        var roots: Set<Int> = []
        for (rule, planned) in zip(rules, plan.rules) {
            guard let own = rule.modestRoots else { return false }
            roots.formUnion(own.filter(planned.slots.indices.contains).map { planned.slots[$0] })
        }
        let weights = UnsafeMutableBufferPointer(
            start: UnsafeMutablePointer(mutating: weights), count: layout.count)
        return VectorMath.allWithin(Modesty.values, weights)
            && slots.enumerated().allSatisfy { place, slot in
                let range = roots.contains(place) ? Modesty.roots : Modesty.slots
                return VectorMath.allWithin(range, slot.buffer[0..<slot.buffer.count])
            }
    }
}

extension Gradients {
    func areModest(in layout: ArenaLayout) -> Bool {
        for (index, parameter) in layout.parameters.enumerated() where isDense[index] {
            guard VectorMath.allWithin(Modesty.values, dense[parameter.range]) else { return false }
        }
        return sparse.values.allSatisfy { rows in
            rows.indices.count <= Modesty.mostEntries
                && VectorMath.allWithin(Modesty.values, rows.values[0..<rows.values.count])
        }
    }
}
