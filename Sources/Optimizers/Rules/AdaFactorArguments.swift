// AdaFactor's arguments, and the rate derived from them.

/// The arguments of AdaFactor.
struct AdaFactorArguments {
    let epsilons: (Double, Double)
    let clipThreshold, decayRate, weightDecay: Double
    let beta1: Float
    let scalesByParameter, isRelative, warmsUp: Bool

    /// Reads the arguments.
    ///
    /// The combination of rates is checked first, as in MindSpore.
    init(_ plan: OptimizerPlan) throws(OptimizerError) {
        let settings = plan.hyperparameters
        isRelative = try settings.boolean("relative_step", default: true)
        warmsUp = try settings.boolean("warmup_init", default: false)
        try Self.checkRates(plan, settings, isRelative: isRelative, warmsUp: warmsUp)
        epsilons = try settings.pair("eps", default: (1e-30, 1e-3))
        guard epsilons.0 >= 0, epsilons.1 >= 0 else {
            throw settings.complaint("eps", .valueError, "`eps` must be two numbers >= 0.", "two numbers >= 0")
        }
        clipThreshold = try settings.number("clip_threshold", default: 1, .nonNegative)
        decayRate = try settings.number("decay_rate", default: 0.8, .insideUnit)
        beta1 = Float(try settings.number("beta1", default: 0.9, .belowOne))
        try settings.ignore("compression")
        let isFixed = plan.groups.first.map { !$0.learningRate.isDynamic } ?? true
        scalesByParameter = try settings.boolean("scale_parameter", default: true) && isFixed
        weightDecay = try Self.readWeightDecay(plan)
    }

    private static func checkRates(
        _ plan: OptimizerPlan, _ settings: SettingReader, isRelative: Bool, warmsUp: Bool
    ) throws(OptimizerError) {
        let hasRate = plan.definition["learning_rate"] != nil
        if hasRate == isRelative {
            throw .invalid(
                hasRate ? "/learning_rate" : "/optimizer/relative_step", .valueError,
                """
                AdaFactor takes exactly one of `learning_rate` and `relative_step` (true by default): leave out \
                `learning_rate`, or write `{"type":"AdaFactor","relative_step":false}` beside it.
                """,
                expected: "one of them", got: hasRate ? "both" : "neither")
        }
        if warmsUp && !isRelative {
            throw settings.complaint(
                "warmup_init", .valueError, "`warmup_init` needs `relative_step`.", "relative_step true", "false")
        }
        for (group, layout) in zip(plan.groups, plan.layout.groups) where group.hasOwnLearningRate {
            throw .invalid(
                "\(layout.pointer)/lr", .valueError, "AdaFactor has one rate for all groups; leave `lr` out of them.",
                expected: "no lr", got: group.learningRateSetting.kind)
        }
    }

    private static func readWeightDecay(_ plan: OptimizerPlan) throws(OptimizerError) -> Double {
        guard let setting = plan.definition["weight_decay"] else { return 0 }
        return try SettingReader.number(setting, .belowOne, at: "/weight_decay", of: "`weight_decay` of AdaFactor")
    }

    /// The rate of a parameter at update t.
    func rate(given: Double, t: Int, rmsOfWeights: Double) -> Double {
        let base = isRelative ? min(warmsUp ? 1e-6 * Double(t) : 1e-2, 1 / Double(t).squareRoot()) : given
        return scalesByParameter ? base * max(epsilons.1, rmsOfWeights) : base
    }
}
