// The arithmetic of averages: one pass over the parameters after the rule, in the kernels.

import CKernels

extension Average {
    /// Writes to `next` the average after it has taken in `weights`.
    ///
    /// The first update copies. So does every update of a parameter that is not trained, such as a running statistic:
    /// torch keeps buffers equal to the model's.
    ///
    /// - Parameters:
    ///   - average: The values so far; not read at the first update.
    ///   - updates: The number of updates taken in so far.
    ///   - weights: The parameters after the model's update.
    ///   - next: The values afterwards; must overlap neither of the others.
    ///   - layout: The layout of all three.
    public func update(
        from average: UnsafePointer<Float>, updates: Int, with weights: UnsafePointer<Float>,
        to next: UnsafeMutablePointer<Float>, _ layout: ArenaLayout
    ) {
        guard updates > 0 else { return next.update(from: weights, count: layout.count) }
        for (range, isTrainable) in layout.runs {
            let (start, count) = (range.lowerBound, range.count)
            if isTrainable {
                blend(average + start, weights + start, next + start, count, updates: updates)
            } else {
                (next + start).update(from: weights + start, count: count)
            }
        }
    }

    private func blend(
        _ average: UnsafePointer<Float>, _ weights: UnsafePointer<Float>, _ next: UnsafeMutablePointer<Float>,
        _ count: Int, updates: Int
    ) {
        switch kind {
        case .swa: pk_running_mean(VectorMath.isa, average, weights, Float(updates + 1), next, count)
        case .ema:
            // Like torch.lerp, from the nearer end: at a weight of 1 the result is exactly the parameter.
            let weight = Float(1 - decay)
            if weight < 0.5 {
                pk_lerp(VectorMath.isa, average, weights, weight, next, count)
            } else {
                pk_lerp(VectorMath.isa, weights, average, 1 - weight, next, count)
            }
        }
    }
}

extension ArenaLayout {
    /// The ranges of neighbours that are all trained, or all not.
    fileprivate var runs: [(range: Range<Int>, isTrainable: Bool)] {
        var runs: [(range: Range<Int>, isTrainable: Bool)] = []
        for parameter in parameters where !parameter.range.isEmpty {
            if let last = runs.last, last.isTrainable == parameter.isTrainable {
                runs[runs.count - 1].range = last.range.lowerBound..<parameter.range.upperBound
            } else {
                runs.append((parameter.range, parameter.isTrainable))
            }
        }
        return runs
    }
}
