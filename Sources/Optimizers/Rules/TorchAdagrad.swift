// torch.optim.Adagrad. Loop: `adagrad` in CKernels, which mindspore.nn.Adagrad uses too.

import CKernels

/// torch's Adagrad; a group may override every argument.
///
///     a += g g;   w -= lr / (1 + (t - 1) lr_decay) g / (sqrt(a) + eps)
///
/// - Throws: ValueError for a negative lr_decay, initial_accumulator_value or eps.
/// - Source: torch.optim.Adagrad. Slot `sum`, from initial_accumulator_value of the optimizer, not of a group.
final class TorchAdagrad: TorchRule {
    override class var traits: RuleTraits { RuleTraits("Adagrad", learningRate: 1e-2) }

    private struct Arguments {
        let rateDecay, epsilon: Double
    }

    private let arguments: [Arguments]
    private let initial: Float

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        initial = Float(try Self.initial(plan.hyperparameters))
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            _ = try Self.initial(settings)
            return Arguments(
                rateDecay: try settings.number("lr_decay", default: 0, .nonNegative),
                epsilon: try settings.number("eps", default: 1e-10, .nonNegative))
        }
        try super.init(plan)
    }

    private static func initial(_ settings: SettingReader) throws(OptimizerError) -> Double {
        try settings.number("initial_accumulator_value", default: 0, .nonNegative)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("sum", initial: initial)] }

    override func warnings(_ plan: OptimizerPlan) -> [String] {
        plan.hyperparametersOfItsGroups.filter { $0.holds("initial_accumulator_value") && !$0.isOutermost }.map {
            "\($0.pointer)/initial_accumulator_value is ignored, as in PyTorch: sums are initialized before groups exist."
        }
    }

    override var kernel: pk_rule { PK_RULE_ADAGRAD }

    override var modestRoots: [Int]? {
        arguments.allSatisfy { Modesty.holds(epsilon: $0.epsilon) } ? [0] : nil
    }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate / (1 + Double(moment.t - 1) * own.rateDecay))
        numbers.epsilon = Float(own.epsilon)
        return numbers
    }
}
