// mindspore.nn.ProximalAdagrad. Loop: `proximal_adagrad` in CKernels.

import CKernels

/// Adagrad with a proximal step for l1 and l2.
///
///     a += g g;   e = lr / sqrt(a);   v = w - e g
///     w = l1 > 0 ? sign(v) max(|v| - e l1, 0) / (1 + e l2) : v / (1 + e l2)
///
/// - Throws: ValueError for a negative accum, l1 or l2.
/// - Source: mindspore.nn.ProximalAdagrad. Slot `accum`, from `accum`.
final class ProximalAdagrad: Rule {
    override class var traits: RuleTraits { RuleTraits("ProximalAdagrad", learningRate: 1e-3) }

    private let accum, l1, l2: Double

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        accum = try settings.number("accum", default: 0.1, .nonNegative)
        l1 = try settings.number("l1", default: 0, .nonNegative)
        l2 = try settings.number("l2", default: 0, .nonNegative)
        try settings.ignore("use_locking")
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("accum", initial: Float(accum))] }

    override var kernel: pk_rule { PK_RULE_PROXIMAL_ADAGRAD }

    override var sparseWay: SparseWay { .rowsInTurn }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.low = Float(l1)
        numbers.high = Float(l2)
        return numbers
    }
}
