// A definition after all of its rules were applied: what an optimizer's initialiser starts from.

import Names

/// What happens to a push whose gradients hold NaN or infinity.
public enum NonFinitePolicy: String, CaseIterable, Sendable {
    /// The push is refused.
    case reject
    /// The update is skipped, as an overflow.
    case skip
}

/// A group with its settings resolved.
public struct GroupPlan: Sendable {
    /// Its name.
    public let name: Name
    /// Its rate: its own or the model's.
    public let learningRate: LearningRate
    /// Whether it has a rate of its own.
    public let hasOwnLearningRate: Bool
    /// Its rate as written in the definition.
    public let learningRateSetting: Setting
    /// Its weight decay: its own or the model's.
    public let weightDecay: WeightDecay
}

/// A definition after all of its rules were applied; nothing in it is allocated yet.
public struct OptimizerPlan {
    /// The definition as given.
    public let definition: Setting
    /// The optimizer's class.
    public let type: Optimizer.Type
    /// Where each parameter is.
    public let layout: ArenaLayout
    /// The groups, parallel to `layout.groups`.
    public let groups: [GroupPlan]
    /// Whether any rate changes with the step, the model's own included, which no group may use.
    public let hasDynamicRate: Bool
    /// The reader of the optimizer's own arguments.
    ///
    /// A rule reads all it knows; the rest is refused.
    public let hyperparameters: Settings
    /// The same per group: under torch a group may override every argument, elsewhere they are all equal.
    public let groupHyperparameters: [Settings]
    /// Whether any group was written.
    public let isGrouped: Bool
    /// The factor by which gradients arrive multiplied.
    public let lossScale: Double
    /// How the factor changes, if it does.
    public let lossScaling: LossScaling?
    /// What an exhausted array does.
    public let pastEnd: PastEnd
    /// What NaN and infinity in a push do.
    public let onNonFinite: NonFinitePolicy
    /// Whether duplicate rows are summed first.
    public let unique: Bool
    /// The step at which the model starts.
    public let step: Int
    /// What was ignored, in sentences.
    public let warnings: [String]
    /// The catalogue in which names are looked up.
    public let catalogue: Catalogue
    /// LARS: the plan of the optimizer inside.
    public let inner: Setting?

    /// One value per group, read from that group's hyperparameters.
    public func perGroup<Value>(
        _ read: (Settings) throws(OptimizerError) -> Value
    ) throws(OptimizerError) -> [Value] {
        var values: [Value] = []
        for settings in groupHyperparameters { values.append(try read(settings)) }
        return values
    }
}
