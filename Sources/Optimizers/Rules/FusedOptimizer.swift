// The fused way of the built-in rules: neighbours with equal settings are one range, updated in one pass over memory by
// one kernel call that decays, unscales, applies the rule and counts.

import CKernels

/// A built-in rule: a kernel and its constants per group.
class FusedOptimizer: Optimizer {
    /// The group and step that constants are asked for.
    struct Moment {
        let group: Int
        /// The group's rate.
        let rate: Double
        /// The group's weight decay as configured.
        let decay: Double
        /// 1 on the first update.
        let t: Int
    }

    /// Whether updates go stage by stage instead, as a subclass's do.
    var isStaged = false
    private var groupConstants: [pk_constants] = []

    /// The loop in `CKernels`.
    var kernel: pk_rule { PK_SGD }

    /// The rule's numbers for a group at a step.
    func constants(_ moment: Moment) -> pk_constants { pk_constants() }

    /// The numbers for one parameter, where they depend on it (its first update, its own scalars).
    func constants(of parameter: Int, _ constants: pk_constants) -> pk_constants { constants }

    /// Called after a parameter was updated, before it counts as started.
    func didUpdate(_ parameter: Int) {}

    override func runUpdate(_ gradients: inout Gradients) throws(OptimizerError) {
        prepare()
        if isStaged { return try runStaged(&gradients) }
        var run: Run?
        for (index, parameter) in layout.parameters.enumerated() where !parameter.range.isEmpty {
            guard gradients.isDense[index], parameter.isTrainable else {
                close(&run)
                copy(parameter.range)
                continue
            }
            extend(&run, index, parameter)
        }
        close(&run)
    }

    /// Computes the constants of each group once per step.
    func prepare() {
        guard let pass else { return }
        groupConstants.removeAll(keepingCapacity: true)
        for group in plan.groups.indices {
            groupConstants.append(
                constants(
                    Moment(
                        group: group, rate: Double(pass.rates[group]), decay: Double(pass.decays[group]), t: pass.t)))
        }
    }

    /// The staged way: the four stages, then the rule on what they made of the gradient.
    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        let conditioned = scaleGrad(gradientsCentralization(decayWeight(flattenGradients(gradients))))
        guard var pass else { return }
        var sums = pk_sums()
        for gradient in conditioned {
            let parameter = layout.parameters[gradient.index]
            guard let group = parameter.groupIndex else { continue }
            let numbers = constants(of: gradient.index, groupConstants[group])
            apply(parameter.range, weights: pass.next, numbers: numbers, pass: pk_pass(), &pass, &sums)
            didUpdate(gradient.index)
        }
    }

    // MARK: ranges

    /// A range under collection.
    private struct Run {
        var range: Range<Int>
        let numbers: pk_constants
        let conditioning: pk_pass
    }

    private func extend(_ run: inout Run?, _ index: Int, _ parameter: ParameterLayout) {
        guard let group = parameter.groupIndex, let pass else { return }
        let numbers = constants(of: index, groupConstants[group])
        let conditioning = conditioned(index, parameter, pass)
        didUpdate(index)
        isStarted[index] = true
        if let open = run, open.range.upperBound == parameter.range.lowerBound, !parameter.isCentralized,
            open.numbers.isSame(as: numbers), open.conditioning.isSame(as: conditioning)
        {
            run?.range = open.range.lowerBound..<parameter.range.upperBound
            return
        }
        close(&run)
        run = Run(range: parameter.range, numbers: numbers, conditioning: conditioning)
        if parameter.isCentralized { closeCentralized(&run) }
    }

    /// What is left of the pipeline for the kernel: all of it, or for a centralized gradient only the unscaling.
    private func conditioned(_ index: Int, _ parameter: ParameterLayout, _ pass: UpdatePass) -> pk_pass {
        var conditioning = pass.conditioning(parameter, decays: Self.traits.decaysGradient)
        guard parameter.isCentralized else { return conditioning }
        let gradient = UnsafeMutableBufferPointer(
            start: pass.gradients + parameter.range.lowerBound, count: parameter.range.count)
        let tensor = Tensor(index: index, shape: parameter.shape, values: gradient, rows: nil)
        count(gradient: tensor)
        var first = conditioning
        first.scales_after = 0
        condition(tensor, first, pass)
        center(tensor)
        (conditioning.scales_before, conditioning.decays) = (0, 0)
        return conditioning
    }

    /// A centralized gradient was counted as given, before its mean was taken.
    private func closeCentralized(_ run: inout Run?) {
        let counted = pass?.sums.gradient_squares ?? 0
        close(&run)
        pass?.sums.gradient_squares = counted
    }

    private func close(_ run: inout Run?) {
        guard let closing = run, var pass else { return }
        var sums = pass.sums
        apply(
            closing.range, weights: pass.current, numbers: closing.numbers, pass: closing.conditioning, &pass, &sums)
        self.pass?.sums = sums
        run = nil
    }

    private func copy(_ range: Range<Int>) {
        guard let pass else { return }
        (pass.next + range.lowerBound).update(from: pass.current + range.lowerBound, count: range.count)
    }

    /// One kernel call over a range of the arena.
    private func apply(
        _ range: Range<Int>, weights: UnsafePointer<Float>, numbers: pk_constants, pass conditioning: pk_pass,
        _ pass: inout UpdatePass, _ sums: inout pk_sums
    ) {
        let start = range.lowerBound
        var update = pk_update()
        update.count = range.count
        update.weights = weights + start
        update.gradients = UnsafePointer(pass.gradients + start)
        update.next = pass.next + start
        update.slots = slotPointers(at: start)
        update.pass = conditioning
        update.constants = numbers
        pk_apply(VectorMath.isa, kernel, &update, &sums)
    }

    typealias SlotPointers = (
        UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?
    )

    private func slotPointers(at start: Int) -> SlotPointers {
        (
            slots.count > 0 ? slots[0].buffer.base + start : nil, slots.count > 1 ? slots[1].buffer.base + start : nil,
            slots.count > 2 ? slots[2].buffer.base + start : nil
        )
    }
}
