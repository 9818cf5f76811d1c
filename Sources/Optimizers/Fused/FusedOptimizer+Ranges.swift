// The walk over the arena: collects neighbours with equal settings into ranges, copies what has no gradient.

import CKernels

extension FusedOptimizer {
    /// One update of every parameter that has a gradient, in update order; the others are copied.
    func runFused(_ gradients: Gradients) {
        var open: RangeUpdate?
        for (index, parameter) in layout.parameters.enumerated() where !parameter.range.isEmpty {
            if gradients.isDense[index], parameter.isTrainable {
                extend(&open, index, parameter)
                continue
            }
            close(&open)
            copy(index, parameter.range)
            guard let rows = gradients.sparse[index], parameter.isTrainable else { continue }
            let values = rows.values[0..<(rows.indices.count * parameter.shape.rowCount)]
            updateSparse(Tensor(index: index, shape: parameter.shape, values: values, rows: rows.indices))
        }
        close(&open)
    }

    /// Adds a parameter to the open range, or starts a new one where its settings differ.
    private func extend(_ open: inout RangeUpdate?, _ index: Int, _ parameter: ParameterLayout) {
        guard let group = parameter.groupIndex, let pass else { return }
        let numbers = numbers(of: index, group: group)
        let gradients = pass.gradients + parameter.range.lowerBound
        let values = UnsafeMutableBufferPointer(start: gradients, count: parameter.range.count)
        let tensor = Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
        let rest = conditionAhead(tensor)
        let conditioning = rest ?? conditioning(parameter, pass)
        if mergesNeighbours, rest == nil, let last = open, last.range.upperBound == parameter.range.lowerBound,
            last.numbers.isSame(as: numbers), last.conditioning.isSame(as: conditioning)
        {
            open?.range = last.range.lowerBound..<parameter.range.upperBound
            return
        }
        close(&open)
        open = RangeUpdate(
            range: parameter.range, weights: pass.current, gradients: gradients, next: pass.next,
            conditioning: conditioning, numbers: numbers, parameter: index)
        if rest != nil { close(&open, countsGradient: false) } else if !mergesNeighbours { close(&open) }
    }

    /// Runs the open range.
    ///
    /// A gradient that was conditioned ahead was counted as given.
    private func close(_ open: inout RangeUpdate?, countsGradient: Bool = true) {
        guard var closing = open else { return }
        open = nil
        apply(&closing)
        add(closing.sums, countsGradient: countsGradient)
    }

    /// Adds what a range changed to the step's sums.
    func add(_ sums: pk_sums, countsGradient: Bool) {
        if countsGradient { pass?.sums.gradient_squares += sums.gradient_squares }
        pass?.sums.change_squares += sums.change_squares
        pass?.sums.weight_squares += sums.weight_squares
        pass?.sums.nonfinite += sums.nonfinite
        pass?.sums.large += sums.large
    }

    private func copy(_ index: Int, _ range: Range<Int>) {
        guard let pass, pass.held.isEmpty || !pass.held[index] else { return }
        (pass.next + range.lowerBound).update(from: pass.current + range.lowerBound, count: range.count)
    }
}
