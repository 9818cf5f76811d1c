// A custom optimizer: the seed's example in Swift. The daemon in OwnDaemon serves it by name.

import Optimizers

/// The seed's example, member for member.
public final class MyMomentum: Optimizer {
    override public class var traits: RuleTraits { RuleTraits("MyMomentum") }

    let momentum: Float

    /// Reads `momentum`, 0.9 unless given.
    public required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        momentum = Float(try plan.hyperparameters.number("momentum", default: 0.9))
        try super.init(plan)
    }

    override public var slotDefinitions: [SlotDefinition] { [SlotDefinition("moments")] }

    override public func construct(_ gradients: [Tensor]) throws(OptimizerError) {
        let gradients = scaleGrad(gradientsCentralization(decayWeight(flattenGradients(gradients))))
        for gradient in gradients {
            let (parameter, moment) = (parameter(of: gradient), slots[0][gradient.index])
            guard let learningRate = try learningRate(of: gradient.index) else { continue }
            for i in gradient.indices {
                moment[i] = momentum * moment[i] + gradient[i]
                parameter[i] -= learningRate * moment[i]
            }
        }
    }
}
