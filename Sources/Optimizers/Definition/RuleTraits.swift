// What the pipeline must know of a rule before it exists: its name, whose rule it is, what it takes from the base class.

/// Whose rule of a name is meant.
public enum Framework: String, CaseIterable, Sendable {
    /// mindspore.nn
    case mindSpore = "mindspore"
    /// torch.optim
    case torch

    /// Whether each parameter counts its own updates; the learning rate follows the model's in any case.
    public var countsPerParameter: Bool { self == .torch }
}

/// What an optimizer's class takes from the base class.
public struct RuleTraits: Sendable {
    /// The class's name, "AdamWeightDecay".
    public var name: String
    /// Whose class it is.
    public var framework = Framework.mindSpore
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

    /// The traits of a class that takes everything from the base class.
    public init(_ name: String, learningRate: Double? = nil) {
        self.name = name
        self.learningRate = learningRate
    }
}
