// Adapts a custom class to a rule: gives the instance access to the state and the update in progress during each call.

/// The rule of a model with a custom optimizer.
final class OwnRule: Rule {
    private let optimizer: Optimizer
    /// The instance's numbers before the last update.
    private var scalarsBefore: [String: [Double]] = [:]

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        optimizer = try (plan.row.own ?? Optimizer.self).init(plan)
        try super.init(plan)
    }

    override class var readsRates: Bool { true }

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
