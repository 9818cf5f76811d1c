// What a reader may know of a model without asking its executor: everything that only a definition or a patch changes.

import Optimizers

/// The unchanging facts behind one or more versions of a model.
///
/// Holds the optimizer's plan, which never changes; its state belongs to the model's executor.
public final class ModelFacts: Sendable {
    /// The model's name.
    public let name: String
    /// The model's uid.
    public let uid: ModelUID
    let plan: OptimizerPlan
    /// What the budget lends for plan and arrays of rates, as long as a version has these settings; nil where the model's
    /// own reservations count them.
    private let memory: Reservation?

    init(name: String, uid: ModelUID, plan: OptimizerPlan, memory: Reservation? = nil) {
        self.name = name
        self.uid = uid
        self.plan = plan
        self.memory = memory
    }

    /// Where each parameter is, and its group.
    public var layout: ArenaLayout { plan.layout }

    /// The settings as they hold now.
    public var settings: SettingValue { plan.definition }

    /// What the definition said that was ignored, in sentences.
    public var warnings: [String] { plan.warnings }

    /// The rate of each group at a step; nil where the rule makes its own.
    ///
    /// - Throws: `learningRateExhausted` past the end of an array.
    public func learningRates(at step: Int) throws(ServingError) -> [Float?] {
        try wrapping { () throws(OptimizerError) in try plan.learningRate(at: step) }
    }

    /// The weight decay of each group at a step, as configured.
    public func weightDecays(at step: Int) -> [Float] { plan.weightDecay(at: step) }

    /// A group's rate as the definition has it: a number, the whole array or the schedule object.
    public func learningRateDefinition(ofGroup group: Int) -> SettingValue {
        plan.groups[group].learningRateSetting
    }

    /// How many values the definition of a group's rate has: 1 for a number, all entries of an array.
    public func learningRateDefinitionCount(ofGroup group: Int) -> Int {
        plan.groups[group].learningRateSetting.valueCount
    }

    /// A group's own optimizer as the definition has it; nil where the model's updates it.
    public func optimizer(ofGroup group: Int) -> SettingValue? { plan.groups[group].optimizerSetting }

    /// Whether a group has a rate of its own, and not the model's.
    public func hasOwnLearningRate(_ group: Int) -> Bool { plan.groups[group].hasOwnLearningRate }

    /// Entries of a group's rate where that is an array or a function; nil for a number or a schedule without end.
    public func learningRateLength(ofGroup group: Int) -> Int? { plan.groups[group].learningRate.length }
}
