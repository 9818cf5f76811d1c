// torch.optim.Adam and AdamW. Loops: `adam` and `adam_amsgrad` in CKernels, which mindspore.nn.Adam uses too.

import CKernels
import Glibc

/// torch's Adam; a group may override every argument.
///
///     m += (g - m)(1 - b1);   v = b2 v + (1 - b2) g g;   amsgrad: h = max(h, v) in place of v
///     w -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
///
/// eps is added to the corrected root, where MindSpore adds it to the uncorrected one. `decoupled_weight_decay`
/// multiplies w by 1 - lr weight_decay first.
/// - Throws: ValueError for betas outside [0, 1) or a negative eps.
/// - Source: torch.optim.Adam. Slots `exp_avg`, `exp_avg_sq`, `max_exp_avg_sq` where any group has amsgrad.
class TorchAdam: TorchRule {
    override class var traits: RuleTraits { RuleTraits("Adam", learningRate: 1e-3) }

    /// The class's default for decaying the parameter instead of the gradient.
    class var isDecoupled: Bool { false }

    private struct Arguments {
        let betas: (Double, Double)
        let epsilon: Double
        let amsgrad, decoupled: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                betas: try Self.betas(settings),
                epsilon: try settings.number("eps", default: 1e-8, .nonNegative),
                amsgrad: try settings.boolean("amsgrad", default: false),
                decoupled: try settings.boolean("decoupled_weight_decay", default: Self.isDecoupled))
        }
        try Self.check(plan.hyperparameters)
        try super.init(plan)
    }

    /// torch's AdamW has no argument `decoupled_weight_decay`, but its defaults and groups contain it.
    private static func check(_ settings: SettingReader) throws(OptimizerError) {
        guard isDecoupled, try !settings.boolean("decoupled_weight_decay", default: true) else { return }
        throw settings.complaint(
            "decoupled_weight_decay", .valueError,
            "AdamW is Adam with `decoupled_weight_decay`; leave it out, or set `type` to \"Adam\".", "true", "false")
    }

    private var hasAmsgrad: Bool { arguments.contains { $0.amsgrad } }

    override var slotDefinitions: [SlotDefinition] {
        let moments = [SlotDefinition("exp_avg"), SlotDefinition("exp_avg_sq")]
        return hasAmsgrad ? moments + [SlotDefinition("max_exp_avg_sq")] : moments
    }

    override func keeps(_ slot: String, group: Int) -> Bool { slot != "max_exp_avg_sq" || arguments[group].amsgrad }

    override var kernel: pk_rule { hasAmsgrad ? PK_RULE_ADAM_AMSGRAD : PK_RULE_ADAM }

    override var modestRoots: [Int]? {
        arguments.allSatisfy { Modesty.holds(epsilon: $0.epsilon, decay: $0.betas.0) } ? [1, 2] : nil
    }

    override func addsDecay(_ group: Int) -> Bool { !arguments[group].decoupled }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants(betas: own.betas, epsilon: own.epsilon)
        numbers.rate = Float(moment.rate / (1 - pow(own.betas.0, Double(moment.t))))
        numbers.root = Float(1 / (1 - pow(own.betas.1, Double(moment.t))).squareRoot())
        numbers.shrink = own.decoupled ? Float(1 - moment.rate * moment.decay) : 1
        return numbers.with(PK_AMSGRAD, own.amsgrad).with(PK_WEIGHTED, true)
    }
}

/// torch's AdamW: Adam with decoupled weight decay, 0.01 unless given.
///
/// - Throws: ValueError for a `decoupled_weight_decay` of false outside a group.
/// - Source: torch.optim.AdamW.
final class TorchAdamW: TorchAdam {
    override class var traits: RuleTraits {
        var traits = RuleTraits("AdamW", learningRate: 1e-3)
        traits.weightDecay = 1e-2
        return traits
    }

    override class var isDecoupled: Bool { true }
}

extension pk_constants {
    /// The decays of torch's Adam family, each rounded once; root and shrink are neutral.
    init(betas: (Double, Double), epsilon: Double) {
        self.init()
        beta1 = Float(betas.0)
        beta2 = Float(betas.1)
        one_minus_beta1 = Float(1 - betas.0)
        one_minus_beta2 = Float(1 - betas.1)
        self.epsilon = Float(epsilon)
        root = 1
        shrink = 1
    }
}
