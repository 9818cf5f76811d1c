// The fused update: neighbours with equal settings form one range, updated in one pass over memory by one kernel call
// that decays, unscales, applies the rule and counts. Parameters without a gradient are copied.

import CKernels

extension UpdatePass {
    /// One update of every parameter that has a gradient, in update order; the others are copied.
    mutating func runFused(_ gradients: Gradients) {
        var open: RangeUpdate?
        for (index, parameter) in layout.parameters.enumerated() where !parameter.range.isEmpty {
            if gradients.isDense[index], parameter.isTrainable {
                extend(&open, index, parameter)
                continue
            }
            close(&open)
            copy(index, parameter.range)
            guard let rows = gradients.sparse[index], parameter.isTrainable else { continue }
            updateSparse(Tensor(index: index, shape: parameter.shape, rows))
        }
        close(&open)
    }

    /// Adds a parameter to the open range, or starts a new one if its settings differ.
    private mutating func extend(_ open: inout RangeUpdate?, _ index: Int, _ parameter: ParameterLayout) {
        guard let group = parameter.groupIndex else { return }
        let (numbers, rule) = (numbers(of: index, group: group), rule(of: group))
        let start = gradients + parameter.range.lowerBound
        let values = UnsafeMutableBufferPointer(start: start, count: parameter.range.count)
        let tensor = Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
        let rest = rule.conditionAhead(tensor, &self)
        let conditioning = rest ?? conditioning(parameter)
        if rule.mergesNeighbours, rest == nil, let last = open, last.range.upperBound == parameter.range.lowerBound,
            plan.rule(of: last.parameter) == plan.ruleOfGroup[group], last.numbers.isSame(as: numbers),
            last.conditioning.isSame(as: conditioning)
        {
            open?.range = last.range.lowerBound..<parameter.range.upperBound
            return
        }
        close(&open)
        open = RangeUpdate(
            range: parameter.range, weights: current, gradients: start, next: next, conditioning: conditioning,
            numbers: numbers, parameter: index)
        if rest != nil { close(&open, countsGradient: false) } else if !rule.mergesNeighbours { close(&open) }
    }

    /// Runs the open range.
    ///
    /// A gradient that was already conditioned has been counted before.
    private mutating func close(_ open: inout RangeUpdate?, countsGradient: Bool = true) {
        guard var closing = open else { return }
        open = nil
        let rule = rules[plan.rule(of: closing.parameter)]
        rule.apply(&closing, &self)
        add(closing.sums, countsGradient: countsGradient)
    }

    /// Adds the sums of a range to those of the step.
    mutating func add(_ more: pk_sums, countsGradient: Bool) {
        if countsGradient { sums.gradient_squares += more.gradient_squares }
        sums.change_squares += more.change_squares
        sums.weight_squares += more.weight_squares
        sums.nonfinite += more.nonfinite
        sums.large += more.large
    }

    private func copy(_ index: Int, _ range: Range<Int>) {
        guard held.isEmpty || !held[index] else { return }
        (next + range.lowerBound).update(from: current + range.lowerBound, count: range.count)
    }
}
