// Where the numbers of a push go: straight into the ranges of an arena-shaped buffer, which is taken from the model's
// pool when the first dense value is near, so that a client that only sends a head holds no memory. Sparse rows have no
// place there and grow apart, within the budget.

import Names
import Optimizers
import ParameterServing
import TensorCoding

/// Gives each tensor of a push, or of an import, its place.
final class GradientSink: TensorSink {
    let layout: ArenaLayout
    /// Why there is no memory for the values; what was read since is not to be used.
    private(set) var failure: Problem?
    private let model: Model
    private var taken: Arena?
    private let budget: MemoryBudget
    private let takesUntrained: Bool
    private var reservations: [Reservation] = []

    /// Makes a sink for one body.
    ///
    /// - Parameters:
    ///   - model: whose layout and pool to use.
    ///   - takesUntrained: whether parameters that are not trained may be written: in an import, not in a push.
    init(_ model: Model, budget: MemoryBudget, takesUntrained: Bool) {
        self.layout = model.layout
        self.model = model
        self.budget = budget
        self.takesUntrained = takesUntrained
    }

    func integers(for name: Name) -> IntegerUse {
        guard takesUntrained else { return .refused }
        // That there is no such parameter is complained of later, and is all there is to say about it.
        guard let index = layout.index(of: name) else { return .taken }
        if layout.parameters[index].isTrainable { return .refused }
        return layout.parameters[index].elementType.map(IntegerUse.wanted) ?? .taken
    }

    func destination(for name: Name, in section: Name) -> TensorDestination {
        guard let index = layout.index(of: name) else { return .nowhere }
        let parameter = layout.parameters[index]
        guard parameter.isTrainable || takesUntrained else { return .nowhere }
        do throws(Problem) {
            return .memory(try arena().buffer[parameter.range])
        } catch {
            failure = error
            return .nowhere
        }
    }

    /// The buffer that holds the dense values.
    ///
    /// - Throws: `outOfMemory`, also where an earlier value found no place.
    func arena() throws(Problem) -> Arena {
        if let failure { throw failure }
        if let taken { return taken }
        do throws(ServingError) {
            let arena = try model.takeArena()
            taken = arena
            return arena
        } catch {
            throw Problem(error)
        }
    }

    func allowGrowth(bytes: Int) -> Bool {
        guard let reservation = try? budget.reserve(bytes) else { return false }
        reservations.append(reservation)
        return true
    }
}
