// torch.optim.NAdam. Loop: `nadam` in CKernels.

import CKernels
import Glibc

/// Adam with Nesterov's momentum on its own schedule; a group may override every argument.
///
///     mu_t = b1 (1 - 0.96^(t momentum_decay) / 2);   p = product of mu_1 ... mu_t
///     d = sqrt(v / (1 - b2^t)) + eps
///     w -= lr (1 - mu_t) / (1 - p) g / d + lr mu_(t+1) / (1 - p mu_(t+1)) m / d
///
/// Each parameter has its own product, which starts at its first gradient.
/// - Throws: ValueError for betas outside [0, 1), a negative eps or momentum_decay.
/// - Source: torch.optim.NAdam. Slots `exp_avg`, `exp_avg_sq`, scalar `mu_product`.
final class TorchNAdam: TorchRule {
    override class var traits: RuleTraits { RuleTraits("NAdam", learningRate: 2e-3) }

    private struct Arguments {
        let betas: (Double, Double)
        let epsilon, momentumDecay: Double
        let decoupled: Bool

        func mu(_ t: Int) -> Double { betas.0 * (1 - 0.5 * pow(0.96, Double(t) * momentumDecay)) }
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                betas: try Self.betas(settings),
                epsilon: try settings.number("eps", default: 1e-8, .nonNegative),
                momentumDecay: try settings.number("momentum_decay", default: 4e-3, .nonNegative),
                decoupled: try settings.boolean("decoupled_weight_decay", default: false))
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("exp_avg"), SlotDefinition("exp_avg_sq")] }

    override var scalars: [(name: String, first: Double)] { [("mu_product", 1)] }

    override var kernel: pk_rule { PK_RULE_NADAM }

    override func addsDecay(_ group: Int) -> Bool { !arguments[group].decoupled }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants(betas: own.betas, epsilon: own.epsilon)
        numbers.root = Float(1 / (1 - pow(own.betas.1, Double(moment.t))).squareRoot())
        numbers.shrink = own.decoupled ? Float(1 - moment.rate * moment.decay) : 1
        return numbers
    }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        let own = arguments[moment.group]
        let (mu, following) = (own.mu(moment.t), own.mu(moment.t + 1))
        let product = (pass.state.isStarted[parameter] ? pass[scalar: 0, of: parameter] : 1) * mu
        pass[scalar: 0, of: parameter] = product
        numbers.low = Float(moment.rate * (1 - mu) / (1 - product))
        numbers.high = Float(moment.rate * following / (1 - product * following))
    }
}
