// mindspore.nn.AdamWeightDecay; torch.optim's AdamW is TorchAdam. Loop: `adam_weight_decay` in CKernels.

import CKernels

/// Adam with decoupled weight decay and without bias correction.
///
///     m, v as Adam;   w -= lr (m / (sqrt(v) + eps) + weight_decay w)
///
/// Loss scale and centralization do not apply.
/// - Throws: ValueError for betas outside (0, 1) or eps <= 0; TypeError for a loss scale.
/// - Source: mindspore.nn.AdamWeightDecay. Slots `adam_m`, `adam_v`.
final class AdamWeightDecay: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("AdamWeightDecay", learningRate: 1e-3)
        traits.takesLossScale = false
        traits.centralizes = false
        traits.decaysGradient = false
        return traits
    }

    private let arguments: AdamArguments

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try AdamArguments(plan.hyperparameters, epsilon: 1e-6)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("adam_m"), SlotDefinition("adam_v")] }

    override var kernel: pk_rule { PK_RULE_ADAM_WEIGHT_DECAY }

    override var modestRoots: [Int]? { arguments.areModest ? [1] : nil }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = arguments.constants
        numbers.rate = Float(moment.rate)
        numbers.extra = Float(moment.decay)
        return numbers
    }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        if !pass.layout.parameters[parameter].decays { numbers.extra = 0 }
    }
}
