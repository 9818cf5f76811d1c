// torch.optim.SGD. Loops: `sgd` and `sgd_momentum` in CKernels, which mindspore.nn.SGD uses too.

import CKernels

/// torch's stochastic gradient descent; a group may override every argument.
///
///     g = g + weight_decay w  (maximize: -g + ...)
///     first update: b = g;   later: b = momentum b + (1 - dampening) g;   w -= lr (nesterov ? g + momentum b : b)
///
/// - Throws: ValueError for a negative momentum, and outside groups for nesterov without momentum or with dampening.
/// - Source: torch.optim.SGD. Slot `momentum_buffer`, where any group has momentum.
final class TorchSGD: TorchRule {
    override class var traits: RuleTraits { RuleTraits("SGD", learningRate: 1e-3) }

    private struct Arguments {
        let momentum, dampening: Double
        let nesterov: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                momentum: try settings.number("momentum", default: 0, .nonNegative),
                dampening: try settings.number("dampening", default: 0),
                nesterov: try settings.boolean("nesterov", default: false))
        }
        try Self.check(plan.hyperparameters)
        try super.init(plan)
    }

    /// torch checks only its constructor's arguments: a group without momentum is treated as one without nesterov.
    private static func check(_ settings: SettingReader) throws(OptimizerError) {
        let momentum = try settings.number("momentum", default: 0)
        let dampening = try settings.number("dampening", default: 0)
        guard try settings.boolean("nesterov", default: false), momentum == 0 || dampening != 0 else { return }
        throw settings.complaint(
            "nesterov", .valueError, "`nesterov` needs a momentum above 0 and a dampening of 0.",
            "momentum > 0 and dampening = 0", "momentum \(momentum), dampening \(dampening)")
    }

    private var hasMomentum: Bool { arguments.contains { $0.momentum != 0 } }

    override var slotDefinitions: [SlotDefinition] { hasMomentum ? [SlotDefinition("momentum_buffer")] : [] }

    /// torch's SGD keeps no `step`.
    override var readsCounts: Bool { false }

    override var kernel: pk_rule { hasMomentum ? PK_RULE_SGD_MOMENTUM : PK_RULE_SGD }

    override var modestRoots: [Int]? {
        arguments.allSatisfy { max($0.momentum, abs($0.dampening)) <= Modesty.mostFactor } ? [] : nil
    }

    /// A group without momentum has b = 0 b + 1 g, the gradient itself, regardless of dampening.
    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.momentum = Float(own.momentum)
        numbers.extra = own.momentum == 0 ? 1 : Float(1 - own.dampening)
        return numbers.with(PK_NESTEROV, own.nesterov)
    }

    /// torch makes a buffer at the first update with momentum; an earlier update without momentum starts nothing.
    override func starts(_ group: Int) -> Bool { arguments[group].momentum != 0 }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        numbers = numbers.with(PK_FIRST, !pass.state.isStarted[parameter])
    }
}
