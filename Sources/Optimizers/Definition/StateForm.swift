// The names and shapes of the tensors in the state of a definition, and their valid numbers. The server uses it to
// write files and to check files that are sent.

import Names

/// The tensors and numbers of a definition's state.
public struct StateForm {
    /// A tensor: a parameter, `PARAMETER#SLOT`, or `PARAMETER#average.KIND`.
    public struct Tensor {
        /// Its name in files.
        public let name: Name
        /// Its extents.
        public let shape: Shape
        let numbers: StateNumber

        /// Refuses values that are invalid for this tensor.
        ///
        /// - Throws: `.invalid` with the name, the value and its index.
        public func check(_ values: UnsafeBufferPointer<Float>) throws(OptimizerError) {
            try numbers.check(values, name)
        }
    }

    /// The tensors in the order of their values: parameters, then each slot, then each average.
    public let tensors: [Tensor]
    private let plan: OptimizerPlan

    /// The layout of the parameters.
    public var layout: ArenaLayout { plan.layout }

    init(_ plan: OptimizerPlan, _ averages: [Average.Kind]) {
        self.plan = plan
        let layouts = plan.layout.parameters
        let parameters = layouts.map {
            Tensor(name: $0.name, shape: $0.shape, numbers: $0.wireType.map(StateNumber.integer) ?? .any)
        }
        let slots = plan.slots.flatMap { slot in
            let numbers = StateNumber.ofParameter(slot.name, plan)
            return zip(layouts, slot.shapes).compactMap { layout, shape in
                shape.map { Tensor(name: Name("\(layout.name)#\(slot.name)"), shape: $0, numbers: numbers) }
            }
        }
        let averages = averages.flatMap { kind in
            parameters.map {
                Tensor(name: AverageMemory.name(of: $0.name, in: kind), shape: $0.shape, numbers: $0.numbers)
            }
        }
        tensors = parameters + slots + averages
    }

    /// Refuses per-parameter numbers that are invalid in a state.
    ///
    /// - Throws: `.invalid`, with the name and the value.
    public func check(_ scalars: [String: [Double]]) throws(OptimizerError) {
        for (part, values) in scalars.sorted(by: { $0.key < $1.key }) {
            let allowed = StateNumber.ofParameter(part, plan)
            for (parameter, value) in zip(plan.layout.parameters, values) {
                try allowed.check(value, Name("\(parameter.name)#\(part)"))
            }
        }
    }
}
