// torch.optim.Adagrad. Loop: `adagrad` in CKernels, which mindspore.nn.Adagrad uses too.

import CKernels

/// torch's Adagrad; a group may override every argument.
///
///     a += g g;   w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)
///
/// - Throws: ValueError for a negative lr_decay, initial_accumulator_value or eps.
/// - Source: torch.optim.Adagrad. Slot `sum`, from initial_accumulator_value.
final class TorchAdagrad: FusedOptimizer {
    override class var traits: RuleTraits { TorchOptions.traits("Adagrad", learningRate: 1e-2) }

    private struct Arguments {
        let rateDecay, initial, epsilon: Double
        let maximizes: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                rateDecay: try settings.number("lr_decay", default: 0, .nonNegative),
                initial: try settings.number("initial_accumulator_value", default: 0, .nonNegative),
                epsilon: try settings.number("eps", default: 1e-10, .nonNegative),
                maximizes: try TorchOptions.maximize(settings))
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] {
        let initial = arguments.map { Float($0.initial) }
        return [SlotDefinition("sum", initial: { $0.groupIndex.map { initial[$0] } ?? 0 })]
    }

    override var kernel: pk_rule { PK_RULE_ADAGRAD }

    override func maximizes(_ group: Int) -> Bool { arguments[group].maximizes }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate / (1 + Double(moment.t - 1) * own.rateDecay))
        numbers.epsilon = Float(own.epsilon)
        return numbers
    }
}
