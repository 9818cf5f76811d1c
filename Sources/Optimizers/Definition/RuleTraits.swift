// The properties of a rule that the pipeline needs before the rule is made: its name, its framework, its use of the
// base class.

/// The features of the base class that an optimizer's class supports.
public struct RuleTraits: Sendable {
    /// The class's name, "AdamWeightDecay".
    public var name: String
    /// Its framework.
    public var framework = Framework.standard
    /// The default rate; nil if a rate is required.
    public var learningRate: Double?
    /// Whether the class can compute its own rate (AdaFactor).
    public var makesOwnRate = false
    /// The default weight decay.
    public var weightDecay = 0.0
    /// Whether it supports weight decay.
    public var takesWeightDecay = true
    /// Whether weight decay may be a schedule.
    public var takesScheduledDecay = true
    /// Whether it supports a loss scale.
    public var takesLossScale = true
    /// Whether `grad_centralization` applies to its gradients.
    public var centralizes = true
    /// Whether, without groups, names with "beta" or "gamma" do not decay.
    public var filtersNames = true
    /// Whether the pipeline adds decay to the gradient; false if the rule applies decay itself.
    public var decaysGradient = true
    /// Whether the pipeline divides by the loss scale (not for AdaFactor, which accepts the argument and ignores it).
    public var unscales = true
    /// Whether a group's own weight decay applies (not for AdaFactor).
    public var groupsWeightDecay = true
    /// The exception for an unknown hyperparameter.
    public var unknownKeyException = ExceptionClass.typeError

    /// Whether it wraps another optimizer, named by its argument `optimizer` (LARS).
    var wrapsAnother = false
    /// Whether it only updates whole models, and never a group next to another optimizer.
    var updatesWholeModel = false

    /// The traits of a class that supports everything of the base class.
    public init(_ name: String, learningRate: Double? = nil) {
        self.name = name
        self.learningRate = learningRate
    }

    /// The traits of a class of another framework, without the features that the framework lacks.
    func speaking(_ framework: Framework) -> RuleTraits {
        var traits = self
        traits.framework = framework
        guard !framework.words.hasBaseClass else { return traits }
        (traits.takesLossScale, traits.takesScheduledDecay) = (false, false)
        (traits.centralizes, traits.filtersNames) = (false, false)
        return traits
    }
}
