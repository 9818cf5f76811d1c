// mindspore.nn.Adagrad; torch.optim's is TorchAdagrad. Loop: `adagrad` in CKernels.

import CKernels

/// Adagrad.
///
///     a += g g   (unless update_slots is false);   w -= lr g / sqrt(a)
///
/// There is no epsilon: accum = 0 is legal, and 0 / 0 is then reported as divergence. MindSpore's CPU kernel updates
/// the slots regardless of `update_slots` (quirk__adagrad_noslots); this follows the documentation.
/// - Throws: ValueError for a negative accum.
/// - Source: mindspore.nn.Adagrad. Slot `accum`, from `accum`.
final class Adagrad: Rule {
    override class var traits: RuleTraits { RuleTraits("Adagrad", learningRate: 1e-3) }

    private let accum: Double
    private let updatesSlots: Bool

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        accum = try plan.hyperparameters.number("accum", default: 0.1, .nonNegative)
        updatesSlots = try plan.hyperparameters.boolean("update_slots", default: true)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("accum", initial: Float(accum))] }

    override var kernel: pk_rule { PK_RULE_ADAGRAD }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        return numbers.with(PK_FROZEN_SLOTS, !updatesSlots)
    }
}
