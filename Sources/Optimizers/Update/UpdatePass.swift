// One update in progress: its input and output, the numbers of the step, and the pipeline for one gradient.
// `UpdatePass+Ranges`, `+Sparse` and `+Staged` are the three ways to run it.

import CKernels
import Glibc
import Threading

/// The memory and numbers of the update in progress.
struct UpdatePass {
    let plan: OptimizerPlan
    let rules: [Rule]
    /// The state after this update.
    ///
    /// Except for the slots, it takes effect only when the update is accepted.
    var state: OptimizerState
    let slots: [Slot]
    /// By rule: its slots, in its order.
    private let slotsOfRules: [[Slot]]
    let current: UnsafePointer<Float>
    let next: UnsafeMutablePointer<Float>
    let gradients: UnsafeMutablePointer<Float>
    /// Per group; NaN if the rule computes its own.
    let rates: [Float]
    /// Per group, as configured.
    let decays: [Float]
    /// Multiplies gradients before weight decay: MindSpore's training cell unscales before it calls the optimizer.
    let unscale: Float?
    /// Multiplies gradients after weight decay: the optimizer's own loss scale.
    let scaleAfter: Float?
    /// The factor on weight decay that compensates for `scaleAfter`.
    let lossScale: Float
    /// By parameter: whether `next` already contains the values of `current`; empty if it contains none.
    let held: [Bool]
    var sums = pk_sums()
    /// This step's groups, and their constants, computed when the first parameter of a group needs them.
    var moments: [Rule.Moment]
    var groupConstants: [pk_constants]
    /// The indices of a sparse gradient's entries, sorted by row.
    var entryOrder: [Int] = []
    /// The old slots of one row, for lazy Adam.
    var rowSlots: [Float] = []

    init(
        _ plan: OptimizerPlan, _ rules: [Rule], _ state: OptimizerState, _ gradients: Gradients,
        from current: UnsafePointer<Float>, to next: UnsafeMutablePointer<Float>, rates: [Float?], held: [Bool] = []
    ) {
        let scale = gradients.isUnscaled ? 1 : plan.decayFactor(in: state)
        let unscale = gradients.isUnscaled ? 1 : plan.lossScale(in: state) / scale
        let slots = plan.slots(of: state)
        (self.plan, self.rules, self.state, self.slots) = (plan, rules, state, slots)
        slotsOfRules = plan.rules.map { rule in rule.slots.map { slots[$0] } }
        (self.current, self.next, self.gradients, self.held) = (current, next, gradients.dense.base, held)
        self.rates = rates.map { $0 ?? .nan }
        decays = plan.weightDecay(at: state.step)
        self.unscale = unscale == 1 ? nil : Float(1 / unscale)
        scaleAfter = scale == 1 ? nil : Float(1 / scale)
        lossScale = Float(scale)
        moments = zip(self.rates, decays).enumerated().map { group, numbers in
            Rule.Moment(group: group, rate: Double(numbers.0), decay: Double(numbers.1), t: 0)
        }
        groupConstants = moments.map { _ in pk_constants() }
        invariant(slots.count == plan.slots.count, "a state has the slots of its plan")
        invariant(state.scalars.count == plan.scalars.count, "a state has the numbers of its rules")
    }

    var layout: ArenaLayout { plan.layout }

    /// The rule that updates a group.
    func rule(of group: Int) -> Rule { rules[plan.ruleOfGroup[group]] }

    /// The slots of the rule that updates a parameter, in the rule's order.
    func slots(of parameter: Int) -> [Slot] { slotsOfRules[plan.rule(of: parameter)] }

    /// A per-parameter number of the parameter's rule; `place` is an index into `Rule.scalars`.
    subscript(scalar place: Int, of parameter: Int) -> Double {
        get { state.scalars[plan.rules[plan.rule(of: parameter)].scalars[place]][parameter] }
        set { state.scalars[plan.rules[plan.rule(of: parameter)].scalars[place]][parameter] = newValue }
    }

    /// The constants of a parameter in this step.
    ///
    /// Those of a group are recomputed only if a parameter's count differs from its neighbour's, so equal counts cost
    /// nothing and keep neighbours in one range.
    mutating func numbers(of parameter: Int, group: Int) -> pk_constants {
        let (t, rule) = (state.t(of: parameter), rule(of: group))
        if moments[group].t != t {
            moments[group].t = t
            groupConstants[group] = rule.constants(moments[group])
        }
        let moment = moments[group]
        var numbers = groupConstants[group]
        rule.adjust(&numbers, of: parameter, at: moment, &self)
        return numbers
    }

    /// The pipeline of a parameter for the kernels; centralization comes before the last factor.
    func conditioning(_ parameter: ParameterLayout) -> pk_pass {
        parameter.groupIndex.map { conditioning(decays: parameter.decays, group: $0) } ?? pk_pass()
    }

    /// As above, of the parameters of a group that weight decay applies to, or of the others.
    func conditioning(decays: Bool, group: Int) -> pk_pass {
        var conditioning = pk_pass()
        let rule = rule(of: group)
        if let factor = firstFactor(group) {
            (conditioning.before, conditioning.scales_before) = (factor, 1)
        }
        if decays, rule.addsDecay(group) {
            (conditioning.decay, conditioning.decays) = (self.decays[group] * lossScale, 1)
        }
        if let factor = scaleAfter, rule.traits.unscales {
            (conditioning.after, conditioning.scales_after) = (factor, 1)
        }
        return conditioning
    }

    /// The factor on a gradient before weight decay: the training cell's unscaling, torch's `maximize`.
    func firstFactor(_ group: Int) -> Float? {
        rule(of: group).maximizes(group) ? -(unscale ?? 1) : unscale
    }

    /// Runs part of the pipeline on a gradient, with the parameter's current values.
    func condition(_ gradient: Tensor, _ conditioning: pk_pass) {
        guard let base = gradient.values.baseAddress else { return }
        var conditioning = conditioning
        let weights = current + layout.parameters[gradient.index].range.lowerBound
        guard let rows = gradient.rows else {
            pk_condition(VectorMath.isa, &conditioning, weights, base, gradient.values.count)
            return
        }
        let width = gradient.shape.rowCount
        for (entry, row) in rows.enumerated() {
            pk_condition(VectorMath.isa, &conditioning, weights + row * width, base + entry * width, width)
        }
    }

    /// Subtracts the mean of each row.
    func center(_ gradient: Tensor) {
        guard let base = gradient.values.baseAddress else { return }
        let rows = gradient.rows?.count ?? gradient.shape.dimensions[0]
        pk_center_rows(VectorMath.isa, base, rows, gradient.shape.rowCount)
    }

    /// Prepares a centralized gradient in place; returns the conditioning left for the kernel, nil for all of it.
    mutating func centerAhead(_ tensor: Tensor) -> pk_pass? {
        guard plan.layout.parameters[tensor.index].isCentralized else { return nil }
        let parameter = layout.parameters[tensor.index]
        count(gradient: tensor)
        var (first, rest) = (conditioning(parameter), pk_pass())
        (rest.after, rest.scales_after) = (first.after, first.scales_after)
        first.scales_after = 0
        condition(tensor, first)
        center(tensor)
        return rest
    }

    /// Counts a gradient as received.
    mutating func count(gradient: Tensor) {
        guard let base = gradient.values.baseAddress else { return }
        sums.gradient_squares += VectorMath.sumOfSquares(base, count: gradient.values.count)
    }

    /// Counts the changes of an update in a range of the arena.
    mutating func count(change range: Range<Int>) {
        pk_compare(VectorMath.isa, current + range.lowerBound, next + range.lowerBound, range.count, &sums)
    }

    /// The gradients that are present, in update order.
    func tensors(of gradients: Gradients) -> [Tensor] {
        layout.parameters.indices.compactMap { index in
            let parameter = layout.parameters[index]
            guard parameter.isTrainable else { return nil }
            if gradients.isDense[index] {
                let values = gradients.dense[parameter.range]
                return Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
            }
            guard let rows = gradients.sparse[index] else { return nil }
            return Tensor(index: index, shape: parameter.shape, rows)
        }
    }

    /// The report of an applied update.
    func report(rates: [Float?]) -> UpdateReport {
        let weight = sums.weight_squares.squareRoot()
        let ratio = sums.change_squares.squareRoot() / weight
        let scale = Double(unscale ?? 1) * Double(scaleAfter ?? 1)
        return UpdateReport(
            applied: true, learningRates: rates, gradientNorm: sums.gradient_squares.squareRoot() * scale,
            updateRatio: weight > 0 && ratio.isFinite ? ratio : nil, overflow: false,
            nextLossScale: plan.lossScale(in: state))
    }
}

/// Whether two values of a type without padding have the same bytes.
private func haveSameBytes<Value: BitwiseCopyable>(_ one: Value, _ other: Value) -> Bool {
    withUnsafePointer(to: one) { one in
        withUnsafePointer(to: other) { memcmp(one, $0, MemoryLayout<Value>.size) == 0 }
    }
}

extension pk_constants {
    /// Whether both have the same bits.
    func isSame(as other: pk_constants) -> Bool {
        haveSameBytes(self, other)
    }

    /// These constants with an option's bit set or cleared.
    func with(_ option: pk_option, _ isOn: Bool) -> pk_constants {
        var copy = self
        if isOn { copy.option |= Int32(option.rawValue) }
        return copy
    }
}

extension pk_pass {
    /// Whether both have the same bits.
    func isSame(as other: pk_pass) -> Bool {
        haveSameBytes(self, other)
    }
}
