// mindspore.nn.Lamb. Loops: `lamb_direction`, then `sgd` along the direction, in CKernels.

import CKernels
import Glibc

/// Layer-wise adaptive moments: Adam's direction, scaled per tensor by |w| / |u|.
///
///     m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g g
///     u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps) + weight_decay w
///     w -= lr (|w| / |u|) u          the ratio is 1 where either norm is 0
///
/// MindSpore has no CPU kernel for it; this follows its newer GPU kernel.
/// - Throws: TypeError for a loss scale.
/// - Source: mindspore.nn.Lamb. Slots `lamb_m`, `lamb_v`.
final class Lamb: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("Lamb")
        traits.takesLossScale = false
        traits.decaysGradient = false
        return traits
    }

    private let arguments: AdamArguments

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try AdamArguments(plan.hyperparameters, epsilon: 1e-6)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] { [SlotDefinition("lamb_m"), SlotDefinition("lamb_v")] }

    override var mergesNeighbours: Bool { false }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = arguments.constants
        numbers.rate = Float(1 / (1 - Self.power(arguments.beta1, moment.t)))
        numbers.root = Float(1 / (1 - Self.power(arguments.beta2, moment.t)))
        numbers.extra = Float(moment.decay)
        return numbers
    }

    /// beta^t, rounded once: Lamb's kernel uses the step and no running product.
    private static func power(_ beta: Float, _ t: Int) -> Double { Double(Float(pow(Double(beta), Double(t)))) }

    override func adjust(
        _ numbers: inout pk_constants, of parameter: Int, at moment: Moment, _ pass: inout UpdatePass
    ) {
        if !pass.layout.parameters[parameter].decays { numbers.extra = 0 }
    }

    /// The direction replaces the gradient, then the parameter moves along it.
    override func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) {
        guard let group = pass.layout.parameters[update.parameter].groupIndex else { return }
        var call = update.call(slots: pass.slots(of: update.parameter))
        call.next = update.gradients
        var first = pk_sums()
        pk_apply(VectorMath.isa, PK_RULE_LAMB_DIRECTION, &call, &first)
        let direction = VectorMath.sumOfSquares(update.gradients, count: update.range.count)
        let ratio =
            first.weight_squares > 0 && direction > 0
            ? first.weight_squares.squareRoot() / direction.squareRoot() : 1
        call.next = update.next + update.range.lowerBound
        call.pass = pk_pass()
        call.constants.rate = Float(Double(pass.rates[group]) * ratio)
        pk_apply(VectorMath.isa, PK_RULE_SGD, &call, &update.sums)
        update.sums.gradient_squares = first.gradient_squares
    }
}
