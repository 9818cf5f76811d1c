// What the state of a definition consists of: the names and shapes of its tensors, and which numbers may be in them. The
// server writes files by it and holds those that come back against it.

import Names

/// The tensors and numbers of one definition's state.
public struct StateForm {
    /// A tensor: a parameter, or `PARAMETER#SLOT`.
    public struct Tensor {
        /// Its name in files.
        public let name: Name
        /// Its extents.
        public let shape: Shape
        let numbers: StateNumber

        /// Refuses values of which one cannot be in this tensor.
        ///
        /// - Throws: `.invalid`, with the name, the value and its place.
        public func check(_ values: UnsafeBufferPointer<Float>) throws(OptimizerError) {
            try numbers.check(values, name)
        }
    }

    /// The tensors in the order in which their values lie: parameters, then each slot.
    public let tensors: [Tensor]
    private let plan: OptimizerPlan

    init(_ plan: OptimizerPlan) {
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
        tensors = parameters + slots
    }

    /// Refuses numbers of parameters of which one is none that a state has.
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
