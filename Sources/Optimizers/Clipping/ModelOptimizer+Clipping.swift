// Clipping before an update: gradients are unscaled and clipped in place, and the pass receives the result. A model
// without `clip` skips all of this, so that its updates are as fast as before.

extension ModelOptimizer {
    /// Divides gradients by the loss scale, in place, unless they are unscaled already.
    func unscale(_ gradients: inout Gradients) {
        guard !gradients.isUnscaled else { return }
        gradients.isUnscaled = true
        if lossScale < 1 { gradients.areKnownModest = false }
        if lossScale != 1 { gradients.scale(by: Float(1 / lossScale), in: plan.layout) }
    }

    /// Unscales and clips gradients in place, unless a reduction has clipped each worker's.
    ///
    /// Entries of the same row are added first, unless the definition takes each on its own; the sums take at most
    /// `clipBytes`.
    ///
    /// - Returns: The norm before clipping; nil if nothing is to be clipped. It is infinite if unscaling has exceeded
    ///   float32: then nothing is clipped.
    func clip(_ gradients: inout Gradients) -> Double? {
        guard let clip = plan.clip, !gradients.isClipped else { return nil }
        unscale(&gradients)
        if plan.unique {
            gradients.sumRows(in: plan.layout)
            if !gradients.sparse.isEmpty { gradients.areKnownModest = false }
        }
        gradients.isClipped = true
        let norm = gradients.norm(in: plan.layout)
        guard norm.isFinite else { return norm }
        let factor = clip.factor(forNorm: norm)
        if factor < 1 { gradients.scale(by: factor, in: plan.layout) }
        if clip.magnitude.isFinite { gradients.clamp(to: clip.magnitude, in: plan.layout) }
        return norm
    }

    /// The most bytes that clipping takes: the sums of sparse rows, and integers to sort the longest of them.
    func clipBytes(_ gradients: Gradients) -> Int {
        guard plan.clip != nil, plan.unique else { return 0 }
        return gradients.sparse.values.reduce(0) { $0 + $1.values.count * MemoryLayout<Float>.stride }
            + 2 * gradients.orderBytes
    }
}

extension Gradients {
    /// The Euclidean norm of all gradients, in double: it exceeds neither float32 nor double.
    func norm(in layout: ArenaLayout) -> Double {
        var squares = 0.0
        forEachPart(in: layout) { squares += VectorMath.sumOfSquares($0, count: $1) }
        return squares.squareRoot()
    }

    /// Bounds the magnitude of each value, in place.
    func clamp(to most: Float, in layout: ArenaLayout) {
        forEachPart(in: layout) { VectorMath.clamp($0, to: most, count: $1) }
    }

    /// Replaces sparse gradients that name a row twice by ones that name each row once.
    mutating func sumRows(in layout: ArenaLayout) {
        for (index, parameter) in layout.parameters.enumerated() {
            guard let rows = sparse[index] else { continue }
            sparse[index] = OrderedRows(rows, width: parameter.shape.rowCount).summed
        }
    }
}

extension UpdateReport {
    /// Records the norm before clipping; nil if a reduction clipped each worker's gradients.
    mutating func noteClipping(from norm: Double?) {
        clippedGradientNorm = gradientNorm
        gradientNorm = norm ?? gradientNorm
    }
}
