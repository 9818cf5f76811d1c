// A reduction in progress: the contributions as the kernels read them, stretch by stretch.

import CKernels

/// The contributions of a round with the factors and weights of their reduction.
struct Combination {
    private let contributions: [Contribution]
    private let rule: Reduction
    private let clip: GradientClip?
    private let layout: ArenaLayout
    /// By contribution, without values: they change with each stretch.
    private let sources: [pk_source]
    /// By contribution; nil if they are not clipped one by one.
    let norms: [ClippedNorms]?

    /// Prepares a reduction; its arguments are those of `Reduction.combine`.
    init(
        _ contributions: [Contribution], by rule: Reduction, scale: Double, clip: GradientClip?, layout: ArenaLayout
    ) {
        let clip = clip?.scope == .worker ? clip : nil
        (self.contributions, self.rule, self.clip, self.layout) = (contributions, rule, clip, layout)
        let unscale = Double(Float(1 / scale))
        let clips = clip.map { clip in
            contributions.map { $0.gradients.measured(for: clip, unscaling: unscale, in: layout) }
        }
        norms = clips?.map(\.norms)
        sources = contributions.indices.map { place in
            let weight = rule == .weighted ? contributions[place].weight : 1
            return pk_source(values: nil, factor: clips?[place].factor ?? unscale, weight: weight)
        }
    }

    private var bound: Double { Double(clip?.magnitude ?? .infinity) }

    /// The result, with its dense gradients in `arena`.
    func reduced(into arena: FloatBuffer) -> Gradients {
        var combined = Gradients(dense: arena, parameterCount: layout.parameters.count)
        (combined.isUnscaled, combined.isClipped) = (true, clip != nil)
        let chosen = chosen()
        var scratch = [Double](repeating: 0, count: 16 * sources.count)
        for index in layout.parameters.indices {
            guard let aligned = AlignedGradients(index, of: contributions, in: layout) else { continue }
            let target = combined.place(for: aligned, of: index, in: layout)
            aligned.forEachStretch { values, range in
                let stretch = sources(at: values)
                reduce(chosen.map { [stretch[$0]] } ?? stretch, &scratch, to: target + range.lowerBound, range.count)
            }
        }
        combined.isFinite =
            contributions.allSatisfy(\.gradients.isFinite) && combined.firstNonFinite(in: layout) == nil
        return combined
    }

    private func sources(at values: [UnsafePointer<Float>?]) -> [pk_source] {
        zip(sources, values).map { pk_source(values: $1, factor: $0.factor, weight: $0.weight) }
    }

    private func reduce(
        _ sources: [pk_source], _ scratch: inout [Double], to target: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        let isa = VectorMath.isa
        switch rule {
        case .mean: pk_combine(isa, sources, sources.count, bound, Double(sources.count), target, count)
        case .sum, .krum: pk_combine(isa, sources, sources.count, bound, 1, target, count)
        case .weighted:
            let weights = sources.reduce(0) { $0 + $1.weight }
            pk_combine(isa, sources, sources.count, bound, weights, target, count)
        case .median:
            pk_trimmed_mean(isa, sources, sources.count, bound, (sources.count - 1) / 2, &scratch, target, count)
        case .trimmedMean(let trim):
            let cut = Int(trim * Double(sources.count))
            pk_trimmed_mean(isa, sources, sources.count, bound, cut, &scratch, target, count)
        }
    }

    /// The place of the contribution that is the whole result; nil if each has a part in it.
    private func chosen() -> Int? {
        guard case .krum(let byzantine) = rule, !contributions.isEmpty else { return nil }
        let distances = squaredDistances()
        let neighbours = min(max(contributions.count - byzantine - 2, 1), contributions.count - 1)
        let scores = contributions.indices.map { place in
            contributions.indices.filter { $0 != place }.map { distances[place][$0] }.sorted().prefix(neighbours)
                .reduce(0, +)
        }
        return scores.indices.min { scores[$0] < scores[$1] }
    }

    /// The squared distance of each contribution to each other; O(n^2) passes over the gradients.
    private func squaredDistances() -> [[Double]] {
        var distances = contributions.map { _ in [Double](repeating: 0, count: contributions.count) }
        for index in layout.parameters.indices {
            guard let aligned = AlignedGradients(index, of: contributions, in: layout) else { continue }
            aligned.forEachStretch { values, range in
                let stretch = sources(at: values)
                for one in stretch.indices {
                    for other in 0..<one {
                        let (a, b) = (stretch[one], stretch[other])
                        let square = withUnsafePointer(to: a) { a in
                            withUnsafePointer(to: b) { pk_squared_distance(VectorMath.isa, a, $0, bound, range.count) }
                        }
                        distances[one][other] += square
                        distances[other][one] += square
                    }
                }
            }
        }
        return distances
    }
}

extension Gradients {
    /// The factor that unscales gradients and brings their norm within the bound, and the norms before and after.
    fileprivate func measured(
        for clip: GradientClip, unscaling unscale: Double, in layout: ArenaLayout
    ) -> (factor: Double, norms: ClippedNorms) {
        var summed = self
        summed.sumRows(in: layout)
        let before = summed.norm(in: layout) * unscale
        let factor = Double(clip.factor(forNorm: before))
        let after =
            clip.magnitude.isFinite
            ? summed.norm(in: layout, scaledBy: unscale, within: clip.magnitude) : before * factor
        return (unscale * factor, ClippedNorms(before: before, after: after))
    }

    /// The norm with each value scaled and then bounded.
    private func norm(in layout: ArenaLayout, scaledBy factor: Double, within bound: Float) -> Double {
        var nothing = pk_source(values: nil, factor: 0, weight: 1)
        var squares = 0.0
        forEachPart(in: layout) { values, count in
            var part = pk_source(values: values, factor: factor, weight: 1)
            squares += pk_squared_distance(VectorMath.isa, &part, &nothing, Double(bound), count)
        }
        return squares.squareRoot()
    }

    /// The memory for a parameter's gradient in the shape that the aligned ones give it; owed for a logged round.
    fileprivate mutating func place(
        for aligned: AlignedGradients, of index: Int, in layout: ArenaLayout
    ) -> UnsafeMutablePointer<Float> {
        guard !aligned.isDense else {
            isDense[index] = true
            return dense.base + layout.parameters[index].range.lowerBound
        }
        let rows = SparseRows(indices: aligned.rows, values: FloatBuffer(owed: aligned.valueCount))
        sparse[index] = rows
        return rows.values.base
    }
}
