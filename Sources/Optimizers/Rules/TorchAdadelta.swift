// torch.optim.Adadelta. Loop: `adadelta` in CKernels, which mindspore.nn.Adadelta uses too.

import CKernels

/// torch's Adadelta: MindSpore's rule with torch's names; a group may override every argument.
///
/// - Throws: ValueError for rho outside [0, 1] or a negative eps.
/// - Source: torch.optim.Adadelta. Slots `square_avg`, `acc_delta`.
final class TorchAdadelta: TorchRule {
    override class var traits: RuleTraits { RuleTraits("Adadelta", learningRate: 1) }

    private struct Arguments {
        let rho, epsilon: Double
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                rho: try settings.number("rho", default: 0.9, .unit),
                epsilon: try settings.number("eps", default: 1e-6, .nonNegative))
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("square_avg"), SlotDefinition("acc_delta")] }

    override var kernel: pk_rule { PK_RULE_ADADELTA }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.beta1 = Float(own.rho)
        numbers.one_minus_beta1 = Float(1 - own.rho)
        numbers.epsilon = Float(own.epsilon)
        return numbers
    }
}
