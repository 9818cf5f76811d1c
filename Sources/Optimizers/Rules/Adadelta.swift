// mindspore.nn.Adadelta; torch.optim's is TorchAdadelta. Loop: `adadelta` in CKernels.

import CKernels

/// Adadelta.
///
///     a = rho a + (1 - rho) g g;   u = sqrt(d + eps) / sqrt(a + eps) g;   d = rho d + (1 - rho) u u;   w -= lr u
///
/// - Throws: ValueError for rho outside [0, 1] or a negative epsilon.
/// - Source: mindspore.nn.Adadelta. Slots `accum` (a), `accum_update` (d).
final class Adadelta: Rule {
    override class var traits: RuleTraits { RuleTraits("Adadelta", learningRate: 1) }

    private let rho, epsilon: Float

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        rho = Float(try plan.hyperparameters.number("rho", default: 0.9, .unit))
        epsilon = Float(try plan.hyperparameters.number("epsilon", default: 1e-6, .nonNegative))
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("accum"), SlotDefinition("accum_update")] }

    override var kernel: pk_rule { PK_RULE_ADADELTA }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.beta1 = rho
        numbers.one_minus_beta1 = 1 - rho
        numbers.epsilon = epsilon
        return numbers
    }
}
