// What readers can know of a model without its executor: everything that only a definition or a patch changes.

import Names
import Optimizers

/// The unchanging facts of one or more versions of a model; a patch or a growth makes new ones.
///
/// Includes the optimizer's plan, which never changes; its state belongs to the model's executor.
public final class ModelFacts: Sendable {
    /// The model's name.
    public let name: String
    /// The model's uid.
    public let uid: ModelUID
    let plan: OptimizerPlan
    /// When pushes are applied.
    public let consistency: Consistency
    /// The budget's loan for the plan and arrays of rates, for as long as a version has these settings; nil if the
    /// model's own reservations include them.
    private let memory: Reservation?
    /// The arenas of the layout.
    let pool: ArenaPool
    /// When the layout changed.
    public let layoutChanges: LayoutChanges

    init(
        name: String, uid: ModelUID, plan: OptimizerPlan, consistency: Consistency, pool: ArenaPool,
        layoutChanges: LayoutChanges = LayoutChanges(), memory: Reservation? = nil
    ) {
        self.name = name
        self.uid = uid
        self.plan = plan
        self.consistency = consistency
        self.pool = pool
        self.layoutChanges = layoutChanges
        self.memory = memory
    }

    /// Memory for one decoded body: a buffer of the layout's size with unspecified contents, paid for as it is filled.
    public func takeArena() throws(ServingError) -> Arena { try pool.takeGrowing() }

    /// The layout of the parameters, with their groups.
    public var layout: ArenaLayout { plan.layout }

    /// Of some parameters, those whose slots a change to other facts has reset, because their optimizer is another one.
    public func resets(in other: ModelFacts, of names: [Name]) -> [Name] {
        names.filter { layout.index(of: $0) != nil && !plan.keepsOptimizer(of: $0, in: other.plan) }
    }

    /// The current settings.
    public var settings: SettingValue { plan.definition }

    /// Warnings about ignored settings of the definition.
    public var warnings: [String] { plan.warnings }

    /// The rate of each group at a step; nil if the rule computes its own.
    ///
    /// - Throws: `learningRateExhausted` past the end of an array.
    public func learningRates(at step: Int) throws(ServingError) -> [Float?] {
        try wrapping { () throws(OptimizerError) in try plan.learningRate(at: step) }
    }

    /// The weight decay of each group at a step, as configured.
    public func weightDecays(at step: Int) -> [Float] { plan.weightDecay(at: step) }

    /// Whether updates add weight decay as configured, to gradients that have been unscaled.
    public var unscalesFirst: Bool { plan.unscalesFirst }

    /// A group's rate as in the definition: a number, the whole array or the schedule object.
    public func learningRateDefinition(ofGroup group: Int) -> SettingValue {
        plan.groups[group].learningRateSetting
    }

    /// The number of values in a group's rate: 1 for a number, all entries of an array.
    public func learningRateDefinitionCount(ofGroup group: Int) -> Int {
        plan.groups[group].learningRateSetting.valueCount
    }

    /// A group's own optimizer as in the definition; nil if it uses the model's.
    public func optimizer(ofGroup group: Int) -> SettingValue? { plan.groups[group].optimizerSetting }

    /// Whether a group has its own rate.
    public func hasOwnLearningRate(_ group: Int) -> Bool { plan.groups[group].hasOwnLearningRate }

    /// The entries of a group's rate if it is an array or a function; nil for a number or an endless schedule.
    public func learningRateLength(ofGroup group: Int) -> Int? { plan.groups[group].learningRate.length }
}
