// The fused way of the built-in rules: neighbours with equal settings are one range, updated in one pass over memory by
// one kernel call that decays, unscales, applies the rule and counts. `FusedOptimizer+Ranges` walks the arena.

import CKernels

/// A built-in rule: a kernel and its constants per group.
class FusedOptimizer: Optimizer {
    /// The group and the update that constants are asked for.
    struct Moment {
        let group: Int
        /// The group's rate; NaN where the rule makes its own.
        let rate: Double
        /// The group's weight decay as configured.
        let decay: Double
        /// 1 on the first update: the model's or the parameter's, as the framework counts.
        var t: Int
    }

    /// What a sparse gradient does to the rows that it names, and to the others.
    enum SparseWay {
        /// It is refused.
        case refused
        /// Adam: moments of the whole tensor decay, entries add to them, every row moves.
        case everyRow
        /// FTRL and ProximalAdagrad: entries in turn, only their rows move.
        case rowsInTurn
        /// Lazy Adam: each entry starts from the slots before the step, the last one's stay.
        case rowsFromOldSlots
    }

    /// Whether updates go stage by stage instead, as a user's subclass does.
    var isStaged = false
    /// This step's groups, and the constants made of them.
    private(set) var moments: [Moment] = []
    private(set) var groupConstants: [pk_constants] = []
    /// Places of the entries of a sparse gradient, sorted by row.
    var entryOrder: [Int] = []
    /// Old slots of one row, for lazy Adam.
    var rowSlots: [Float] = []

    /// The loop in `CKernels`.
    var kernel: pk_rule { PK_RULE_SGD }

    /// What sparse gradients do.
    var sparseWay: SparseWay { .refused }

    override var takesSparseGradients: Bool { sparseWay != .refused }

    /// The rule's numbers for a group at a step.
    func constants(_ moment: Moment) -> pk_constants { pk_constants() }

    /// The numbers for one parameter, where they depend on it (its first update, its own scalars).
    func constants(of parameter: Int, _ constants: pk_constants, at moment: Moment) -> pk_constants { constants }

    /// Called once per update of a parameter, after its constants were made and before it counts as started.
    func didUpdate(_ parameter: Int, at moment: Moment) {}

    /// Updates a range of the arena from conditioned or unconditioned gradients.
    func apply(_ update: inout RangeUpdate) { update.run(kernel, slots: slots) }

    /// Whether ranges of several parameters may be updated in one call; not where a rule needs a tensor's norm.
    var mergesNeighbours: Bool { true }

    /// Prepares a gradient in place where the kernel cannot: returns what is left to the kernel, nil for all of it.
    func conditionAhead(_ tensor: Tensor) -> pk_pass? {
        let parameter = layout.parameters[tensor.index]
        guard parameter.isCentralized, let pass else { return nil }
        count(gradient: tensor)
        var (first, rest) = (conditioning(parameter, pass), pk_pass())
        (rest.after, rest.scales_after) = (first.after, first.scales_after)
        first.scales_after = 0
        condition(tensor, first, pass)
        center(tensor)
        return rest
    }

    override func runUpdate(_ gradients: inout Gradients) throws(OptimizerError) {
        prepare()
        if isStaged { try runStaged(&gradients) } else { runFused(gradients) }
    }

    /// A staged update does not count what it writes to slots.
    override func staysFinite(with gradients: Gradients) -> Bool {
        !isStaged && super.staysFinite(with: gradients)
    }

    override var mayCopySlots: Bool { isStaged || super.mayCopySlots }

    override func written(by gradients: Gradients) -> [Bool]? {
        if isStaged { return nil }
        return gradients.isDense.indices.map { gradients.isDense[$0] || gradients.sparse[$0] != nil }
    }

    /// Takes the rates of the step; the constants are made when the first parameter of a group asks for them.
    func prepare() {
        guard let pass else { return }
        moments = plan.groups.indices.map { group in
            Moment(group: group, rate: Double(pass.rates[group]), decay: Double(pass.decays[group]), t: 0)
        }
        groupConstants = moments.map { _ in pk_constants() }
    }

    /// The constants of a parameter in this step; asks for them once per update.
    ///
    /// Those of a group are made again only where the count of a parameter differs from its neighbour's, so that equal
    /// counts cost nothing and leave neighbours in one range.
    func numbers(of parameter: Int, group: Int) -> pk_constants {
        let t = t(of: parameter)
        if moments[group].t != t {
            moments[group].t = t
            groupConstants[group] = constants(moments[group])
        }
        let numbers = constants(of: parameter, groupConstants[group], at: moments[group])
        didUpdate(parameter, at: moments[group])
        return numbers
    }

    /// The staged way: the four stages, then the rule on what they made of the gradient.
    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        applyStaged(scaleGrad(gradientsCentralization(decayWeight(flattenGradients(gradients)))))
    }

    /// The rule alone, on gradients that went through the stages.
    func applyStaged(_ gradients: [Tensor]) {
        for gradient in gradients {
            let parameter = layout.parameters[gradient.index]
            guard let group = parameter.groupIndex, let pass, let base = gradient.values.baseAddress else { continue }
            let numbers = numbers(of: gradient.index, group: group)
            if let rows = gradient.rows {
                applySparse(gradient, rows: rows, numbers: numbers)
                continue
            }
            var update = RangeUpdate(
                range: parameter.range, weights: pass.current, gradients: base, next: pass.next,
                conditioning: pk_pass(),
                numbers: numbers, parameter: gradient.index)
            apply(&update)
        }
    }
}
