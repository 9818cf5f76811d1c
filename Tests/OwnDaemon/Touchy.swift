// A faulty rule, to test the effect of its crash on other models.

import Optimizers

/// Plain descent that traps at a gradient of 42 and uses up the stack at 43.
final class Touchy: Optimizer {
    override class var traits: RuleTraits { RuleTraits("Touchy") }

    override func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        for gradient in scaleGrad(flattenGradients(gradients)) {
            precondition(gradient[0] != 42, "this rule cannot do 42")
            let parameter = parameter(of: gradient)
            guard let rate = try learningRate(of: gradient.index) else { continue }
            for i in gradient.indices { parameter[i] -= rate * descend(gradient[i], depth: 1) }
        }
    }

    private func descend(_ value: Float, depth: Int) -> Float {
        value == 43 && depth < 1 << 40 ? Float(depth) + descend(value, depth: depth + 1) : value
    }
}
