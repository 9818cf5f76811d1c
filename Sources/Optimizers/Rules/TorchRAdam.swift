// torch.optim.RAdam. Loop: `radam` in CKernels.

import CKernels
import Glibc

/// Adam that omits its second moment until the variance of that is tractable; a group may override every argument.
///
///     rho_inf = 2 / (1 - b2) - 1;   rho = rho_inf - 2 t b2^t / (1 - b2^t)
///     r = sqrt((rho - 4)(rho - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho))
///     rho > 5:  w -= lr m / (1 - b1^t) r sqrt(1 - b2^t) / (sqrt(v) + eps);   else  w -= lr m / (1 - b1^t)
///
/// - Throws: ValueError for betas outside [0, 1) or a negative eps.
/// - Source: torch.optim.RAdam. Slots `exp_avg`, `exp_avg_sq`.
final class TorchRAdam: TorchRule {
    override class var traits: RuleTraits { RuleTraits("RAdam", learningRate: 1e-3) }

    private struct Arguments {
        let betas: (Double, Double)
        let epsilon: Double
        let decoupled: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                betas: try Self.betas(settings),
                epsilon: try settings.number("eps", default: 1e-8, .nonNegative),
                decoupled: try settings.boolean("decoupled_weight_decay", default: false))
        }
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("exp_avg"), SlotDefinition("exp_avg_sq")] }

    override var kernel: pk_rule { PK_RULE_RADAM }

    override func addsDecay(_ group: Int) -> Bool { !arguments[group].decoupled }

    override func constants(_ moment: Moment) -> pk_constants {
        let (own, t) = (arguments[moment.group], Double(moment.t))
        var numbers = pk_constants(betas: own.betas, epsilon: own.epsilon)
        numbers.shrink = own.decoupled ? Float(1 - moment.rate * moment.decay) : 1
        let rate = moment.rate / (1 - pow(own.betas.0, t))
        guard let rectification = Self.rectification(beta2: own.betas.1, t: t) else {
            numbers.rate = Float(rate)
            return numbers
        }
        numbers.rate = Float(rate * rectification * (1 - pow(own.betas.1, t)).squareRoot())
        return numbers.with(PK_RECTIFIED, true)
    }

    /// r, or nil while the variance is not tractable.
    private static func rectification(beta2: Double, t: Double) -> Double? {
        let power = pow(beta2, t)
        let limit = 2 / (1 - beta2) - 1
        let rho = limit - 2 * t * power / (1 - power)
        guard rho > 5 else { return nil }
        return ((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)).squareRoot()
    }
}
