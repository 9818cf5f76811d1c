// Where the numbers of a push go: straight into the ranges of an arena-shaped buffer, which is taken from the model's
// pool when the first dense value is near. Sparse rows have no place there and grow apart, within the budget.

import Optimizers
import ParameterServing
import TensorCoding

/// Gives each tensor of a push, or of an import, its place.
final class GradientSink: TensorSink {
    let layout: ArenaLayout
    let arena: Arena
    private let budget: MemoryBudget
    private let takesUntrained: Bool
    private var reservations: [Reservation] = []

    /// Makes a sink for one body.
    ///
    /// - Parameters:
    ///   - model: whose layout and pool to use.
    ///   - takesUntrained: whether parameters that are not trained may be written: in an import, not in a push.
    init(_ model: Model, budget: MemoryBudget, takesUntrained: Bool) throws(ServingError) {
        self.layout = model.publication.current.facts.layout
        self.arena = try model.takeArena()
        self.budget = budget
        self.takesUntrained = takesUntrained
    }

    func destination(for name: String, in section: String) -> TensorDestination {
        guard let index = layout.index(of: name) else { return .nowhere }
        let parameter = layout.parameters[index]
        return parameter.isTrainable || takesUntrained ? .memory(arena.buffer[parameter.range]) : .nowhere
    }

    func allowGrowth(bytes: Int) -> Bool {
        guard let reservation = try? budget.reserve(bytes) else { return false }
        reservations.append(reservation)
        return true
    }
}
