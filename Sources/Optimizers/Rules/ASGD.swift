// Averaged SGD of mindspore.nn and torch.optim, which share the rule. Loop: `asgd` in CKernels.

import CKernels
import Glibc

/// Averaged stochastic gradient descent.
///
///     first update:  eta = lr, mu = 1
///     w = w (1 - lambd eta) - eta g;   ax = mu = 1 ? w : ax + (w - ax) mu
///     then  eta = lr / (1 + lambd lr t)^alpha;   mu = 1 / max(1, t - t0)
///
/// eta lags one step: the rate of step t is used at t + 1. Each parameter has its own eta and mu, which start at its
/// first gradient.
/// - Throws: TypeError for a loss scale.
/// - Source: mindspore.nn.ASGD. Slots `ax`, scalars `eta`, `mu`.
class ASGD: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("ASGD", learningRate: 0.1)
        traits.takesLossScale = false
        return traits
    }

    /// The arguments; under torch each group may override them.
    struct Arguments {
        let lambd, alpha, t0: Double
        let maximizes: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let isTorch = plan.row.traits.framework.words.groupsHoldArguments
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                lambd: try settings.number("lambd", default: 1e-4, isTorch ? .nonNegative : .any),
                alpha: try settings.number("alpha", default: 0.75, isTorch ? .nonNegative : .any),
                t0: try settings.number("t0", default: 1e6),
                maximizes: isTorch ? try TorchRule.maximize(settings) : false)
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("ax")] }

    override var scalars: [(name: String, first: Double)] { [("eta", 0), ("mu", 1)] }

    override var kernel: pk_rule { PK_RULE_ASGD }

    override func maximizes(_ group: Int) -> Bool { arguments[group].maximizes }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        let (own, isFirst) = (arguments[moment.group], !pass.state.isStarted[parameter])
        let eta = isFirst ? Double(Float(moment.rate)) : pass[scalar: 0, of: parameter]
        let mu = isFirst ? 1 : pass[scalar: 1, of: parameter]
        numbers.rate = Float(eta)
        numbers.shrink = Float(1 - own.lambd * eta)
        numbers.extra = Float(mu)
        numbers = numbers.with(PK_FIRST, mu == 1)
        let lagged = moment.rate / pow(1 + own.lambd * moment.rate * Double(moment.t), own.alpha)
        pass[scalar: 0, of: parameter] = Double(Float(lagged))
        pass[scalar: 1, of: parameter] = Double(Float(1 / max(1, Double(moment.t) - own.t0)))
    }
}

/// torch.optim.ASGD: the same rule with torch's defaults; a group may override every argument.
///
/// - Throws: ValueError for a negative lambd or alpha.
/// - Source: torch.optim.ASGD.
final class TorchASGD: ASGD {
    override class var traits: RuleTraits { RuleTraits("ASGD", learningRate: 1e-2) }
}
