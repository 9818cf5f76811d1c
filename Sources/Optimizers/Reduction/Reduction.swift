// How the gradients of a round become the gradients of one update: the rules and their arguments. `Combination` runs
// them.

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
    /// The median of each value; of an even number, the mean of the two in the middle.
    case median
    /// The mean of each value without the floor(trim n) smallest and as many of the largest.
    case trimmedMean(trim: Double)
    /// The contribution with the smallest sum of squared distances to its n - byzantine - 2 nearest neighbours; the
    /// first in order if several have it.
    ///
    /// Its guarantee holds for n >= 2 byzantine + 3; with fewer, at least one neighbour counts. Source: Blanchard, El
    /// Mhamdi, Guerraoui, Stainer: Machine Learning with Adversaries, NeurIPS 2017.
    case krum(byzantine: Int)

    /// Whether a `consistency` collects pushes in rounds, which have a reduction.
    static func isUsed(by consistency: SettingValue?) -> Bool {
        ["sync", "manual"].contains(consistency?["mode"]?.stringValue)
    }

    /// Reduces the gradients of a round, in the order given: the same order gives the same bits.
    ///
    ///     result = reduce(clip(g * float32(1 / scale)))
    ///
    /// Computed in double and rounded to float32 once. It cannot fail, because the pushes are logged: memory for sparse
    /// rows, at most `combinedBytes`, is waited for. Rows that all contributions send as sparse stay sparse: the
    /// union of their rows, ascending. A parameter that one contribution sends as a whole becomes dense.
    ///
    /// - Parameters:
    ///   - contributions: The pushes of the round, in an order that does not depend on their arrival.
    ///   - scale: The loss scale that the gradients were multiplied by; 1 for none.
    ///   - clip: The bound on gradients, which is applied here if it holds for each worker.
    ///   - arena: Takes the dense gradients of the result; must not be the memory of a contribution.
    ///   - layout: The layout of all gradients.
    /// - Returns: Unscaled gradients; not finite if a contribution is not, or if the result exceeds float32. With them
    ///   the norms of the contributions that were clipped.
    public func combine(
        _ contributions: [Contribution], scale: Double, clip: GradientClip? = nil, into arena: FloatBuffer,
        layout: ArenaLayout
    ) -> ReducedGradients {
        let combination = Combination(contributions, by: self, scale: scale, clip: clip, layout: layout)
        return ReducedGradients(gradients: combination.reduced(into: arena), norms: combination.norms)
    }

    /// The most bytes that `combine` takes in addition to its arguments.
    public func combinedBytes(_ contributions: [Contribution], in layout: ArenaLayout) -> Int {
        // Its place in lists of rows, and in a list of all rows as it grows and is sorted.
        let perEntry = 13 * MemoryLayout<Int>.stride
        return contributions.reduce(scratchBytes(contributions.count)) { sum, contribution in
            contribution.gradients.sparse.reduce(sum) { sum, sparse in
                let values = sparse.value.indices.count * layout.parameters[sparse.key].shape.rowCount
                return sum + 2 * values * MemoryLayout<Float>.stride + sparse.value.indices.count * perEntry
            }
        }
    }

    /// The size of what a reduction sorts at a time, or of the distances between contributions.
    private func scratchBytes(_ contributions: Int) -> Int {
        let perContribution =
            if case .krum = self { contributions } else { Combination.scratchCount(self, 1) }
        return contributions * perContribution * MemoryLayout<Double>.stride
    }
}
