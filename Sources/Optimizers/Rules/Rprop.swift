// Resilient propagation of mindspore.nn and torch.optim, which share the rule. Loop: `rprop` in CKernels.

import CKernels

/// Resilient propagation: uses only the sign of the gradient.
///
///     first update:  ss = lr everywhere
///     f = eta+, eta-, 1 as g prev >, <, = 0;   ss = clip(ss f, least, most);   g' = f is eta- ? 0 : g
///     w -= sign(g') ss;   prev = g'
///
/// There is no backtracking, and later rates are unused.
/// - Throws: ValueError unless 0 < eta- < 1 < eta+ and least <= most; TypeError for a loss scale.
/// - Source: mindspore.nn.Rprop. Slots `prev`, `step_size`.
class Rprop: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("Rprop", learningRate: 0.1)
        traits.takesLossScale = false
        return traits
    }

    /// The arguments; under torch each group may override them.
    struct Arguments {
        let etas, stepSizes: (Double, Double)
        let maximizes: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let isTorch = plan.row.traits.framework.words.groupsHoldArguments
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            try Self.read(settings, isTorch: isTorch)
        }
        try super.init(plan)
    }

    private static func read(_ settings: SettingReader, isTorch: Bool) throws(OptimizerError) -> Arguments {
        let etas = try settings.pair("etas", default: (0.5, 1.2))
        guard etas.0 > 0, etas.0 < 1, etas.1 > 1 else {
            throw settings.complaint(
                "etas", .valueError, "`etas` must be two numbers with 0 < etas[0] < 1 < etas[1].", "0 < a < 1 < b",
                "\(etas.0), \(etas.1)")
        }
        let sizes = try settings.pair("step_sizes", default: (1e-6, 50))
        guard sizes.0 <= sizes.1 else {
            throw settings.complaint(
                "step_sizes", .valueError, "`step_sizes` must be the smallest and the largest step, in this order.",
                "a <= b",
                "\(sizes.0), \(sizes.1)")
        }
        let maximizes = isTorch ? try TorchRule.maximize(settings) : false
        return Arguments(etas: etas, stepSizes: sizes, maximizes: maximizes)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("prev"), SlotDefinition("step_size")] }

    override var kernel: pk_rule { PK_RULE_RPROP }

    override func maximizes(_ group: Int) -> Bool { arguments[group].maximizes }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.beta1 = Float(own.etas.0)
        numbers.beta2 = Float(own.etas.1)
        numbers.low = Float(own.stepSizes.0)
        numbers.high = Float(own.stepSizes.1)
        return numbers
    }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        if pass.state.isStarted[parameter] { numbers.rate = 0 } else { numbers = numbers.with(PK_FIRST, true) }
    }
}

/// torch.optim.Rprop: the same rule with torch's default rate and without weight decay.
///
/// - Source: torch.optim.Rprop.
final class TorchRprop: Rprop {
    override class var traits: RuleTraits {
        var traits = RuleTraits("Rprop", learningRate: 1e-2)
        traits.takesWeightDecay = false
        return traits
    }
}
