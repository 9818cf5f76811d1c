// mindspore.nn.Momentum. Loop: `momentum` in CKernels.

import CKernels

/// Momentum, with or without Nesterov's look ahead.
///
///     v = momentum v + g
///     w -= lr v,   or with use_nesterov:  w -= lr g + lr momentum v
///
/// MindSpore's CPU kernel ignores `use_nesterov` (quirk__momentum_nesterov); this follows the documentation.
/// - Throws: TypeError without `momentum`, ValueError where it is negative.
/// - Source: mindspore.nn.Momentum. Slot `moments`.
final class Momentum: Rule {
    override class var traits: RuleTraits { RuleTraits("Momentum") }

    private let momentum: Double
    private let nesterov: Bool

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        momentum = try plan.hyperparameters.number("momentum", .nonNegative)
        nesterov = try plan.hyperparameters.boolean("use_nesterov", default: false)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("moments")] }

    override var kernel: pk_rule { PK_RULE_MOMENTUM }

    override var modestRoots: [Int]? { momentum <= Modesty.mostFactor ? [] : nil }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.momentum = Float(momentum)
        return numbers.with(PK_NESTEROV, nesterov)
    }
}
