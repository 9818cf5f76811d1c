// mindspore.nn.AdaMax; torch.optim's is TorchAdamax. Loop: `adamax` in CKernels.

import CKernels

/// Adam with the infinity norm.
///
///     m = beta1 m + (1 - beta1) g;   u = max(beta2 u, |g|);   w -= lr / (1 - beta1^t) m / (u + eps)
///
/// - Throws: ValueError for betas outside (0, 1) or eps <= 0.
/// - Source: mindspore.nn.AdaMax. Slots `moment1`, `moment2`.
final class AdaMax: Rule {
    override class var traits: RuleTraits { RuleTraits("AdaMax", learningRate: 1e-3) }

    private let arguments: AdamArguments

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try AdamArguments(plan.hyperparameters)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("moment1"), SlotDefinition("moment2")] }

    override func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] {
        [("beta1_power", arguments.beta1Power(state.step))]
    }

    override var kernel: pk_rule { PK_RULE_ADAMAX }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = arguments.constants
        numbers.rate = Float(moment.rate / (1 - arguments.beta1Power(moment.t)))
        return numbers
    }
}
