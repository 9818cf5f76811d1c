// The fused update: neighbours with equal settings form one range, updated in one pass over memory by one kernel call
// that decays, unscales, applies the rule and counts. Parameters without a gradient are copied.

import CKernels

extension UpdatePass {
    /// One update of every parameter that has a gradient, in update order; the others are copied.
    mutating func runFused(_ gradients: Gradients) {
        var open: RangeUpdate?
        // A model may have tens of thousands of parameters; a copy of each one's record would cost as much as its update.
        let parameters = layout.parameters
        for index in parameters.indices where !parameters[index].range.isEmpty {
            if gradients.isDense[index], parameters[index].isTrainable {
                extend(&open, index)
                continue
            }
            close(&open)
            copy(index, parameters[index].range)
            guard let rows = gradients.sparse[index], parameters[index].isTrainable else { continue }
            updateSparse(Tensor(index: index, shape: parameters[index].shape, rows))
        }
        close(&open)
    }

    /// Adds a parameter to the open range, or starts a new one if its settings differ.
    private mutating func extend(_ open: inout RangeUpdate?, _ index: Int) {
        guard let group = plan.layout.parameters[index].groupIndex else { return }
        let (numbers, rule) = (numbers(of: index, group: group), rule(of: group))
        let range = plan.layout.parameters[index].range
        let start = gradients + range.lowerBound
        let values = UnsafeMutableBufferPointer(start: start, count: range.count)
        let tensor = Tensor(index: index, shape: plan.layout.parameters[index].shape, values: values, rows: nil)
        let rest = rule.conditionAhead(tensor, &self)
        let conditioning = rest ?? self.conditioning(decays: plan.layout.parameters[index].decays, group: group)
        if rule.mergesNeighbours, rest == nil, let last = open, last.range.upperBound == range.lowerBound,
            plan.rule(of: last.parameter) == plan.ruleOfGroup[group], last.numbers.isSame(as: numbers),
            last.conditioning.isSame(as: conditioning)
        {
            open?.range = last.range.lowerBound..<range.upperBound
            return
        }
        close(&open)
        open = RangeUpdate(
            range: range, weights: current, gradients: start, next: next, conditioning: conditioning,
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
