// mindspore.nn.SGD; torch.optim's is TorchSGD. Loops: `sgd` and `sgd_momentum` in CKernels.

import CKernels

/// Stochastic gradient descent, with or without momentum.
///
///     momentum = 0:  w -= lr g
///     first update:  a = g                                   (no dampening on the first step)
///     later:         a = momentum a + (1 - dampening) g
///                    w -= lr (nesterov ? g + momentum a : a)
///
/// - Throws: ValueError for a negative momentum or dampening, and for nesterov without momentum or with dampening;
///   TypeError for a scheduled weight decay.
/// - Source: mindspore.nn.SGD. Slots `accum`, `stat`; the latter is one number per parameter here.
final class SGD: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("SGD", learningRate: 0.1)
        traits.takesScheduledDecay = false
        return traits
    }

    private let momentum, dampening: Double
    private let nesterov: Bool

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        momentum = try settings.number("momentum", default: 0, .nonNegative)
        dampening = try settings.number("dampening", default: 0, .nonNegative)
        nesterov = try settings.boolean("nesterov", default: false)
        if nesterov && (momentum == 0 || dampening != 0) {
            throw settings.complaint(
                "nesterov", .valueError, "`nesterov` needs a momentum above 0 and a dampening of 0.",
                "momentum > 0 and dampening = 0", "momentum \(momentum), dampening \(dampening)")
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("accum")] }

    /// MindSpore's `stat`: 1 until a parameter's first update with momentum, then 0.
    override func parameterScalars(_ state: OptimizerState) -> [String: [Double]] {
        ["stat": state.isStarted.map { $0 && momentum > 0 ? 0 : 1 }]
    }

    override var derivedScalars: Set<String> { ["stat"] }

    override var kernel: pk_rule { momentum == 0 ? PK_RULE_SGD : PK_RULE_SGD_MOMENTUM }

    override var modestRoots: [Int]? { max(momentum, dampening) <= Modesty.mostFactor ? [] : nil }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.momentum = Float(momentum)
        numbers.extra = 1 - Float(dampening)
        return numbers.with(PK_NESTEROV, nesterov)
    }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        numbers = numbers.with(PK_FIRST, !pass.state.isStarted[parameter])
    }
}
