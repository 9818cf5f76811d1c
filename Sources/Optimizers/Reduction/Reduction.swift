// How the gradients of a round become the gradients of one update.

import CKernels

/// The rule that reduces the gradients of a round to one.
///
/// A parameter or a row that some contributions lack counts as zero there; one that all lack stays absent.
public enum Reduction: Sendable, Equatable {
    /// sum(g) / n over the n contributions.
    case mean
    /// sum(g).
    case sum
    /// sum(weight g) / sum(weight), with the numbers of examples as weights.
    case weighted

    /// Whether a `consistency` collects pushes in rounds, which have a reduction.
    static func isUsed(by consistency: SettingValue?) -> Bool {
        ["sync", "manual"].contains(consistency?["mode"]?.stringValue)
    }

    /// Reduces the gradients of a round, in the order given: the same order gives the same bits.
    ///
    ///     result = reduce(g * float32(1 / scale))
    ///
    /// Computed in double and rounded to float32 once. Rows that all contributions send as sparse stay sparse: the
    /// union of their rows, ascending. A parameter that one contribution sends as a whole becomes dense.
    ///
    /// - Parameters:
    ///   - contributions: The pushes of the round, in an order that does not depend on their arrival.
    ///   - scale: The loss scale that the gradients were multiplied by; 1 for none.
    ///   - arena: Takes the dense gradients of the result; must not be the memory of a contribution.
    ///   - layout: The layout of all gradients.
    /// - Returns: Unscaled gradients; not finite if a contribution is not, or if the result exceeds float32.
    /// - Throws: `.noMemory` for sparse rows; `combinedBytes` is the most that they need.
    public func combine(
        _ contributions: [Contribution], scale: Double, into arena: FloatBuffer, layout: ArenaLayout
    ) throws(OptimizerError) -> Gradients {
        var combined = Gradients(dense: arena, parameterCount: layout.parameters.count)
        combined.isUnscaled = true
        let unscale = Double(Float(1 / scale))
        var sources = contributions.map { pk_source(values: nil, factor: unscale, weight: weight(of: $0)) }
        let divisor = divisor(contributions)
        for index in layout.parameters.indices {
            guard let aligned = try AlignedGradients(index, of: contributions, in: layout) else { continue }
            let target = try combined.place(for: aligned, of: index, in: layout)
            aligned.forEachStretch { values, range in
                for worker in values.indices { sources[worker].values = values[worker] }
                pk_combine(
                    VectorMath.isa, sources, sources.count, .infinity, divisor, target + range.lowerBound, range.count)
            }
        }
        combined.isFinite =
            contributions.allSatisfy(\.gradients.isFinite) && combined.firstNonFinite(in: layout) == nil
        return combined
    }

    /// The most bytes that `combine` takes in addition to its arguments.
    public static func combinedBytes(_ contributions: [Contribution], in layout: ArenaLayout) -> Int {
        let perEntry = 6 * MemoryLayout<Int>.stride
        return contributions.reduce(0) { sum, contribution in
            contribution.gradients.sparse.reduce(sum) { sum, sparse in
                let values = sparse.value.indices.count * layout.parameters[sparse.key].shape.rowCount
                return sum + 2 * values * MemoryLayout<Float>.stride + sparse.value.indices.count * perEntry
            }
        }
    }

    private func weight(of contribution: Contribution) -> Double {
        switch self {
        case .mean, .sum: 1
        case .weighted: contribution.weight
        }
    }

    private func divisor(_ contributions: [Contribution]) -> Double {
        switch self {
        case .mean: Double(contributions.count)
        case .sum: 1
        case .weighted: contributions.reduce(0) { $0 + $1.weight }
        }
    }
}

extension Gradients {
    /// The memory for a parameter's gradient in the shape that the aligned ones give it.
    fileprivate mutating func place(
        for aligned: AlignedGradients, of index: Int, in layout: ArenaLayout
    ) throws(OptimizerError) -> UnsafeMutablePointer<Float> {
        guard !aligned.isDense else {
            isDense[index] = true
            return dense.base + layout.parameters[index].range.lowerBound
        }
        let rows = SparseRows(indices: aligned.rows, values: try FloatBuffer(count: aligned.valueCount))
        sparse[index] = rows
        return rows.values.base
    }
}
