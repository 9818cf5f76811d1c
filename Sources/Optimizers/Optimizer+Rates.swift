// Asking for rates and decays: pure functions of the definition and a step. A query never moves the step, unlike
// `get_lr` of some MindSpore versions.

extension Optimizer {
    /// The rate of each group for the next update; nil where the rule makes its own (AdaFactor's relative step).
    ///
    /// - Throws: `.learningRateExhausted`.
    /// - Source: seed, `get_lr`.
    public var learningRate: [Float?] {
        get throws(OptimizerError) { try learningRate(at: step) }
    }

    /// The rate of each group, in update order, for the update that follows `step` updates.
    ///
    /// - Throws: `.learningRateExhausted` past the end of an array with `past_end: error`.
    public func learningRate(at step: Int) throws(OptimizerError) -> [Float?] {
        var rates: [Float?] = []
        for group in plan.groups {
            if case .relative = group.learningRate {
                rates.append(nil)
                continue
            }
            guard let rate = group.learningRate.value(at: step, past: plan.pastEnd) else {
                throw .learningRateExhausted(group: group.name.text, step: step, length: group.learningRate.length ?? 0)
            }
            rates.append(rate)
        }
        return rates
    }

    /// The rate of a parameter for the next update; nil for a parameter in no group.
    ///
    /// - Source: seed, `get_lr_parameter`.
    public func learningRate(of parameter: Int) throws(OptimizerError) -> Float? {
        guard let group = layout.parameters[parameter].groupIndex else { return nil }
        return try learningRate[group]
    }

    /// A parameter's rate as the definition has it: a number, the whole array or the schedule object.
    public func learningRateDefinition(of parameter: Int) -> Setting {
        guard let group = layout.parameters[parameter].groupIndex else { return .null }
        return plan.groups[group].learningRateSetting
    }

    /// The weight decay of each group for the next update, as configured.
    ///
    /// - Source: seed, `get_weight_decay`; MindSpore's answer is `scaledWeightDecay`.
    public var weightDecay: [Float] { weightDecay(at: step) }

    /// The weight decay of each group at a step, as configured.
    public func weightDecay(at step: Int) -> [Float] { plan.groups.map { $0.weightDecay.value(at: step) } }

    /// The weight decay of each group at a step times the loss scale, as MindSpore reports it.
    public func scaledWeightDecay(at step: Int) -> [Float] {
        weightDecay(at: step).map { min($0 * Float(decayFactor), .greatestFiniteMagnitude) }
    }

    /// What gradients must arrive multiplied by: the fixed `loss_scale`, or the current scale of the loss scaling.
    public var lossScale: Double { lossScaler?.scale ?? plan.lossScale }

    /// What weight decay is multiplied by before the gradients are unscaled: 1 where they are unscaled first.
    var decayFactor: Double {
        guard let lossScaler else { return plan.lossScale }
        return lossScaler.dropsOverflow ? 1 : lossScaler.scale
    }
}
