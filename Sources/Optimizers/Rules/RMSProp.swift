// mindspore.nn.RMSProp; torch.optim's is TorchRMSprop. Loops: `rmsprop`, `rmsprop_centered` in CKernels.

import CKernels

/// RMSProp.
///
///     s = decay s + (1 - decay) g g;   centered: q = decay q + (1 - decay) g
///     b = momentum b + lr g / sqrt(s [- q q] + epsilon);   w -= b
///
/// s starts at 1, and the rate is inside the momentum buffer. MindSpore's CPU kernel puts epsilon outside the root in
/// full vector lanes; this follows the documentation (rmsprop_big_epsilon_wide).
/// - Throws: ValueError for a negative decay or momentum, and for epsilon <= 0.
/// - Source: mindspore.nn.RMSProp. Slots `mean_square` (from 1), `moment`, centered also `mean_grad`.
final class RMSProp: Rule {
    override class var traits: RuleTraits { RuleTraits("RMSProp", learningRate: 0.1) }

    private let decay, momentum, epsilon: Float
    private let centered: Bool

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        decay = Float(try settings.number("decay", default: 0.9, .nonNegative))
        momentum = Float(try settings.number("momentum", default: 0, .nonNegative))
        epsilon = Float(try settings.number("epsilon", default: 1e-10, .positive))
        centered = try settings.boolean("centered", default: false)
        try settings.ignore("use_locking")
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] {
        let slots = [SlotDefinition("mean_square", initial: 1), SlotDefinition("moment")]
        return centered ? slots + [SlotDefinition("mean_grad")] : slots
    }

    override var kernel: pk_rule { centered ? PK_RULE_RMSPROP_CENTERED : PK_RULE_RMSPROP }

    override var modestRoots: [Int]? {
        let isBounded =
            !centered && decay <= 1 && momentum <= Float(Modesty.mostFactor)
            && Modesty.holds(epsilon: Double(epsilon))
        return isBounded ? [0] : nil
    }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.momentum = momentum
        numbers.beta1 = decay
        numbers.one_minus_beta1 = 1 - decay
        numbers.epsilon = epsilon
        return numbers.with(PK_CENTERED, centered)
    }
}
