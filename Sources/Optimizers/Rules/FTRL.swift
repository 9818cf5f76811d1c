// mindspore.nn.FTRL. Loop: `ftrl` in CKernels.

import CKernels

/// Follow the regularized leader.
///
///     n = a + g g;   z += g - (n^-p - a^-p) / lr w;   a = n                 p = lr_power
///     w = |z| > l1 ? (sign(z) l1 - z) / (n^-p / lr + 2 l2) : 0
///
/// MindSpore's dense CPU kernel ignores the sign of z where l1 > 0 (quirk__ftrl_l1l2); this follows the documentation.
/// Weight decay has no name filter here.
/// - Throws: TypeError or ValueError unless the rate is one positive number; ValueError for the `lr` of a group that has
///   no optimizer of its own, a negative initial_accum, l1 or l2, and a positive lr_power.
/// - Source: mindspore.nn.FTRL. Slots `moments` (a, from initial_accum), `linear` (z).
final class FTRL: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("FTRL", learningRate: 1e-3)
        traits.filtersNames = false
        return traits
    }

    override class var readsRates: Bool { true }

    private let initialAccum, l1, l2: Double
    private let power: Double

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        try Self.checkRate(plan)
        let settings = plan.hyperparameters
        initialAccum = try settings.number("initial_accum", default: 0.1, .nonNegative)
        power = try settings.number("lr_power", default: -0.5, .nonPositive)
        l1 = try settings.number("l1", default: 0, .nonNegative)
        l2 = try settings.number("l2", default: 0, .nonNegative)
        try settings.ignore("use_locking")
        try super.init(plan)
    }

    private static func checkRate(_ plan: OptimizerPlan) throws(OptimizerError) {
        for (group, layout) in plan.itsGroups {
            if group.hasOwnLearningRate, plan.isOfModel {
                throw .invalid(
                    "\(layout.pointer)/lr", .valueError, "FTRL has one rate for all groups; leave `lr` out of them.",
                    expected: "no lr", got: group.learningRateSetting.kind)
            }
            guard case .constant(let rate) = group.learningRate, rate > 0 else {
                throw .invalid(
                    group.hasOwnLearningRate ? "\(layout.pointer)/lr" : "/learning_rate", .valueError,
                    "The learning rate of FTRL must be one positive number.", expected: "a number > 0",
                    got: group.learningRateSetting.kind)
            }
        }
    }

    override var slotDefinitions: [SlotDefinition] {
        [SlotDefinition("moments", initial: Float(initialAccum)), SlotDefinition("linear")]
    }

    override var kernel: pk_rule { PK_RULE_FTRL }

    override var sparseWay: SparseWay { .rowsInTurn }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.low = Float(l1)
        numbers.high = 2 * Float(l2)
        numbers.extra = Float(-power)
        return numbers.with(PK_POWER, power != -0.5)
    }
}
