// Pools without a model.

import Optimizers

@testable import ParameterServing

extension ArenaPool {
    /// The pool of a single parameter with this many values.
    convenience init(count: Int, budget: MemoryBudget) {
        let places = Shape([count]).map { [Placement.Place(ParameterDefinition(name: "w", shape: $0), group: nil)] }
        self.init(Placement(places ?? []), budget: budget)
    }
}
