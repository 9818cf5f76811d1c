// torch.optim.RMSprop. Loops: `torch_rmsprop` with one, two or three slots in CKernels.

import CKernels

/// torch's RMSprop; a group may override every argument.
///
///     s = alpha s + (1 - alpha) g g;   centered: q += (g - q)(1 - alpha);   d = sqrt(s [- q q]) + eps
///     momentum > 0:  b = momentum b + g / d, w -= lr b;   else  w -= lr g / d
///
/// s starts at 0, eps is outside the root and the rate outside the buffer, all unlike MindSpore.
/// - Throws: ValueError for a negative alpha, eps or momentum.
/// - Source: torch.optim.RMSprop. Slots `square_avg`, `momentum_buffer`, `grad_avg`, the last two where a group needs them.
final class TorchRMSprop: TorchRule {
    override class var traits: RuleTraits { RuleTraits("RMSprop", learningRate: 1e-2) }

    private struct Arguments {
        let alpha, epsilon, momentum: Double
        let centered: Bool
    }

    private let arguments: [Arguments]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try plan.perGroup { settings throws(OptimizerError) in
            Arguments(
                alpha: try settings.number("alpha", default: 0.99, .nonNegative),
                epsilon: try settings.number("eps", default: 1e-8, .nonNegative),
                momentum: try settings.number("momentum", default: 0, .nonNegative),
                centered: try settings.boolean("centered", default: false))
        }
        try super.init(plan)
    }

    private var isCentered: Bool { arguments.contains { $0.centered } }
    private var isBuffered: Bool { arguments.contains { $0.momentum > 0 } }

    override var slotDefinitions: [SlotDefinition] {
        var slots = [SlotDefinition("square_avg")]
        if isBuffered || isCentered { slots.append(SlotDefinition("momentum_buffer")) }
        if isCentered { slots.append(SlotDefinition("grad_avg")) }
        return slots
    }

    override func keeps(_ slot: String, group: Int) -> Bool {
        switch slot {
        case "momentum_buffer": arguments[group].momentum > 0
        case "grad_avg": arguments[group].centered
        default: true
        }
    }

    override var kernel: pk_rule {
        if isCentered { return PK_RULE_TORCH_RMSPROP_CENTERED }
        return isBuffered ? PK_RULE_TORCH_RMSPROP_BUFFERED : PK_RULE_TORCH_RMSPROP
    }

    override var modestRoots: [Int]? {
        let areBounded = arguments.allSatisfy {
            !$0.centered && $0.alpha <= 1 && $0.momentum <= Modesty.mostFactor && Modesty.holds(epsilon: $0.epsilon)
        }
        return areBounded ? [0] : nil
    }

    override func constants(_ moment: Moment) -> pk_constants {
        let own = arguments[moment.group]
        var numbers = pk_constants()
        numbers.rate = Float(moment.rate)
        numbers.momentum = Float(own.momentum)
        numbers.beta1 = Float(own.alpha)
        numbers.one_minus_beta1 = Float(1 - own.alpha)
        numbers.epsilon = Float(own.epsilon)
        return numbers.with(PK_CENTERED, own.centered).with(PK_BUFFERED, own.momentum > 0)
    }
}
