// What the pipeline must know of a rule before it exists: its name, whose rule it is, what it takes from the base class.

/// What an optimizer's class takes from the base class.
public struct RuleTraits: Sendable {
    /// The class's name, "AdamWeightDecay".
    public var name: String
    /// Whose class it is.
    public var framework = Framework.standard
    /// The class's default rate; nil where one must be given.
    public var learningRate: Double?
    /// Whether the class may do without a rate and make its own (AdaFactor).
    public var makesOwnRate = false
    /// The class's default weight decay.
    public var weightDecay = 0.0
    /// Whether it knows weight decay at all.
    public var takesWeightDecay = true
    /// Whether weight decay may be a schedule.
    public var takesScheduledDecay = true
    /// Whether it has a loss scale.
    public var takesLossScale = true
    /// Whether `grad_centralization` reaches its gradients.
    public var centralizes = true
    /// Whether, without groups, names with "beta" or "gamma" do not decay.
    public var filtersNames = true
    /// Whether decay is added to the gradient by the pipeline; false where the rule applies it itself.
    public var decaysGradient = true
    /// Whether the pipeline divides by the loss scale (not in AdaFactor, which takes the argument and ignores it).
    public var unscales = true
    /// Whether a group's own weight decay counts (not in AdaFactor).
    public var groupsWeightDecay = true
    /// What an unknown hyperparameter raises.
    public var unknownKeyException = ExceptionClass.typeError

    /// Whether it wraps another optimizer, which `optimizer` among its arguments names (LARS).
    var wrapsAnother = false
    /// Whether it updates whole models only, and no group beside another optimizer.
    var updatesWholeModel = false

    /// The traits of a class that takes everything from the base class.
    public init(_ name: String, learningRate: Double? = nil) {
        self.name = name
        self.learningRate = learningRate
    }

    /// The same of a class of another framework, without what that framework does not have.
    func speaking(_ framework: Framework) -> RuleTraits {
        var traits = self
        traits.framework = framework
        guard !framework.words.hasBaseClass else { return traits }
        (traits.takesLossScale, traits.takesScheduledDecay) = (false, false)
        (traits.centralizes, traits.filtersNames) = (false, false)
        return traits
    }
}
