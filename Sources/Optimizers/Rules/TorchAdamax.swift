// torch.optim.Adamax. Loop: `adamax` in CKernels, which mindspore.nn.AdaMax uses too.

import CKernels
import Glibc

/// torch's Adamax; a group may override every argument.
///
///     m = b1 m + (1 - b1) g;   u = max(b2 u, |g| + eps);   w -= lr / (1 - b1^t) m / u
///
/// - Throws: ValueError for betas outside [0, 1) or a negative eps.
/// - Source: torch.optim.Adamax. Slots `exp_avg`, `exp_inf`.
final class TorchAdamax: TorchRule {
    override class var traits: RuleTraits { RuleTraits("Adamax", learningRate: 2e-3) }

    private struct Arguments {
        let betas: (Double, Double)
        let epsilon: Double
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                betas: try Self.betas(settings),
                epsilon: try settings.number("eps", default: 1e-8, .nonNegative))
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("exp_avg"), SlotDefinition("exp_inf")] }

    override var kernel: pk_rule { PK_RULE_ADAMAX }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants(betas: own.betas, epsilon: 0)
        numbers.rate = Float(moment.rate / (1 - pow(own.betas.0, Double(moment.t))))
        numbers.extra = Float(own.epsilon)
        return numbers
    }
}
