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
    /// The weights of all contributions together.
    private let weights: Double
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
        weights = sources.reduce(0) { $0 + $1.weight }
    }

    private var bound: Double { Double(clip?.magnitude ?? .infinity) }

    /// The result, with its dense gradients in `arena`.
    func reduced(into arena: FloatBuffer) -> Gradients {
        var combined = Gradients(dense: arena, parameterCount: layout.parameters.count)
        (combined.isUnscaled, combined.isClipped) = (true, clip != nil)
        let chosen = chosen()
        var scratch = [Double](repeating: 0, count: Self.scratchCount(rule, contributions.count))
        for index in layout.parameters.indices {
            guard let aligned = AlignedGradients(index, of: contributions, in: layout) else { continue }
            let target = combined.place(for: aligned, of: index, in: layout)
            aligned.forEachStretch { parts, range in
                let parts = chosen.map { chosen in parts.filter { $0.contribution == chosen } } ?? parts
                reduce(parts.map(source), &scratch, to: target + range.lowerBound, range.count)
            }
        }
        combined.isFinite =
            contributions.allSatisfy(\.gradients.isFinite) && combined.firstNonFinite(in: layout) == nil
        return combined
    }

    private func source(_ part: AlignedGradients.Part) -> pk_source {
        var source = sources[part.contribution]
        source.values = part.values
        return source
    }

    /// The number of values that a reduction sorts at a time.
    static func scratchCount(_ rule: Reduction, _ contributions: Int) -> Int {
        switch rule {
        case .mean, .sum, .weighted, .krum: 0
        case .median, .trimmedMean: 16 * contributions
        }
    }

    /// Reduces the values of the contributions that have any in a stretch.
    private func reduce(
        _ sources: [pk_source], _ scratch: inout [Double], to target: UnsafeMutablePointer<Float>, _ count: Int
    ) {
        let (isa, all) = (VectorMath.isa, contributions.count)
        func trimmedMean(_ cut: Int) {
            pk_trimmed_mean(isa, sources, sources.count, all - sources.count, bound, cut, &scratch, target, count)
        }
        switch rule {
        case .mean: pk_combine(isa, sources, sources.count, bound, Double(all), target, count)
        case .sum, .krum: pk_combine(isa, sources, sources.count, bound, 1, target, count)
        case .weighted: pk_combine(isa, sources, sources.count, bound, weights, target, count)
        case .median: trimmedMean((all - 1) / 2)
        case .trimmedMean(let trim): trimmedMean(Int(trim * Double(all)))
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

    /// The squared distance of each contribution to each other: each value is compared with those of all others.
    private func squaredDistances() -> [[Double]] {
        var distances = contributions.map { _ in [Double](repeating: 0, count: contributions.count) }
        for index in layout.parameters.indices {
            guard let aligned = AlignedGradients(index, of: contributions, in: layout) else { continue }
            aligned.forEachStretch { parts, range in
                let present = parts.map(source)
                for (one, part) in parts.enumerated() {
                    for other in 0..<one {
                        let square = squaredDistance(present[one], present[other], range.count)
                        distances[part.contribution][parts[other].contribution] += square
                        distances[parts[other].contribution][part.contribution] += square
                    }
                }
                addDistances(toAbsent: parts, present, range.count, &distances)
            }
        }
        return distances
    }

    /// Adds the distances between the values of a stretch and the zeros of the contributions that have none in it.
    private func addDistances(
        toAbsent parts: [AlignedGradients.Part], _ present: [pk_source], _ count: Int, _ distances: inout [[Double]]
    ) {
        guard parts.count < contributions.count else { return }
        let zeros = pk_source(values: nil, factor: 0, weight: 1)
        var isAbsent = contributions.map { _ in true }
        for part in parts { isAbsent[part.contribution] = false }
        for (part, source) in zip(parts, present) {
            let square = squaredDistance(source, zeros, count)
            for other in contributions.indices where isAbsent[other] {
                distances[part.contribution][other] += square
                distances[other][part.contribution] += square
            }
        }
    }

    private func squaredDistance(_ one: pk_source, _ other: pk_source, _ count: Int) -> Double {
        withUnsafePointer(to: one) { one in
            withUnsafePointer(to: other) { pk_squared_distance(VectorMath.isa, one, $0, bound, count) }
        }
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
