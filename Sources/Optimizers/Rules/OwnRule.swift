// A user's class as a rule: lends the instance the state and the update under way, for as long as it is asked.

/// The rule of a model whose optimizer is a user's own class.
final class OwnRule: Rule {
    private let optimizer: Optimizer
    /// The numbers of the instance before the last update.
    private var scalarsBefore: [String: [Double]] = [:]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        optimizer = try (plan.row.own ?? Optimizer.self).init(plan)
        try super.init(plan)
    }

    override var isStaged: Bool { true }
    override var slotDefinitions: [SlotDefinition] { optimizer.slotDefinitions }
    override var takesSparseGradients: Bool { optimizer.takesSparseGradients }

    override func modelScalars(_ state: OptimizerState) -> [(name: String, value: Double)] {
        optimizer.state = state
        return optimizer.modelScalars
    }

    override func parameterScalars(_ state: OptimizerState) -> [String: [Double]] {
        optimizer.state = state
        return optimizer.parameterScalars
    }

    override func resume(from state: OptimizerState, _ scalars: [String: [Double]]) {
        optimizer.state = state
        optimizer.parameterScalars = scalars
    }

    override func undo() { optimizer.parameterScalars = scalarsBefore }

    override func construct(_ gradients: [Tensor], _ pass: inout UpdatePass) throws(OptimizerError) {
        scalarsBefore = optimizer.parameterScalars
        (optimizer.state, optimizer.slots, optimizer.pass) = (pass.state, pass.slots, pass)
        defer { optimizer.pass = nil }
        try optimizer.construct(gradients)
    }
}
