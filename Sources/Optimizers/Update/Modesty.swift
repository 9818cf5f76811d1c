// Decides when an update cannot overflow, so that no copy of the slots is needed: rules with bounded arithmetic have
// `modestRoots`, and updates check their numbers. Decision 0023 has the bounds.

import CKernels

/// The range of numbers in which bounded rules stay far from the limits of float32.
enum Modesty {
    /// Weights and gradients: -2^30 to below 2^30.
    static let values: Range<Float> = -0x1p30..<0x1p30
    /// Slots: -2^62 to below 2^62.
    static let slots: Range<Float> = -0x1p62..<0x1p62
    /// Slots under a root.
    static let roots: Range<Float> = 0..<0x1p62
    /// The smallest epsilon next to a root in a divisor.
    static let leastEpsilon = 0x1p-40
    /// The largest learning rate, momentum and dampening.
    static let mostFactor = 0x1p10
    /// The largest decay of a first moment; its correction divides by 1 minus the decay.
    static let mostDecay = 1 - 0x1p-10
    /// The most entries of one sparse gradient, which may all belong to one row.
    static let mostEntries = 1 << 20

    /// Whether epsilon and the first moment's decay bound a rule of Adam's family.
    static func holds(epsilon: Double, decay: Double = 0) -> Bool { epsilon >= leastEpsilon && decay <= mostDecay }
}

extension UpdatePass {
    /// Whether this update, from modest weights and slots, keeps all of them finite.
    func staysFinite(with gradients: Gradients) -> Bool {
        guard rules.allSatisfy({ $0.modestRoots != nil }), lossScale <= 0x1p30 else { return false }
        guard rates.allSatisfy({ abs($0) <= Float(Modesty.mostFactor) }), decays.allSatisfy({ $0 <= 1 }),
            abs(unscale ?? 1) <= 1, abs(scaleAfter ?? 1) <= 1
        else { return false }
        return gradients.areModest(in: layout)
    }

    /// Whether weights and slots are modest; checked if unknown, and after an update that may not stay finite.
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
        let parameters = layout.parameters
        for index in parameters.indices where isDense[index] && !areKnownModest {
            guard VectorMath.allWithin(Modesty.values, dense[parameters[index].range]) else { return false }
        }
        return sparse.values.allSatisfy { rows in
            rows.indices.count <= Modesty.mostEntries
                && (areKnownModest || VectorMath.allWithin(Modesty.values, rows.values[0..<rows.values.count]))
        }
    }
}
