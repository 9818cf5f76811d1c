// A model's slots and scalars for people and tools, under MindSpore's names.

import Names
import Optimizers

/// A copy of a model's optimizer state at one version.
public final class ModelExport: @unchecked Sendable {
    /// One parameter's values of one slot.
    public struct SlotValues {
        /// `PARAMETER#SLOT`.
        public let name: Name
        /// The slot's shape for this parameter.
        public let shape: Shape
        /// The values, valid as long as the export exists.
        public let values: UnsafeBufferPointer<Float>
    }

    /// The version that the state belongs to.
    public let version: PublishedVersion
    /// Every slot of every parameter, in update order.
    public let slots: [SlotValues]
    /// By `PARAMETER#step`, the updates of each parameter, if the framework counts them; otherwise empty.
    public let counts: [(name: Name, value: Int)]
    /// Scalars of the model, and of parameters as `PARAMETER#NAME`.
    public let scalars: [(name: String, value: Double)]
    /// The digest that `paramd replay` prints for the same state.
    public let digest: String
    private let image: ModelImage

    init(_ state: ModelState) throws(ServingError) {
        let optimizer = state.optimizer
        let layout = state.facts.layout
        version = state.published
        image = try state.image()
        digest = "\(image.digest)"
        var slots: [SlotValues] = []
        for (slot, copy) in zip(optimizer.slots, image.head.optimizer.slots.map(\.buffer)) {
            for (index, parameter) in layout.parameters.enumerated() {
                guard parameter.isTrainable, let shape = slot.shapes[index] else { continue }
                let values = UnsafeBufferPointer(copy[slot.ranges[index]])
                slots.append(SlotValues(name: Name("\(parameter.name)#\(slot.name)"), shape: shape, values: values))
            }
        }
        self.slots = slots
        counts = zip(layout.parameters, optimizer.counts).compactMap { parameter, count in
            parameter.isTrainable ? (name: Name("\(parameter.name)#step"), value: count) : nil
        }
        scalars = optimizer.exportedScalars
    }
}

extension Model {
    /// Passes a copy of the optimizer's state to `body`, on an executor thread; `outOfMemory` if there is no room.
    ///
    /// All readers between two changes share one copy.
    public func export(_ body: @escaping @Sendable (Result<ModelExport, ServingError>) -> Void) {
        inspect { [self] state in
            body(Result { () throws(ServingError) in try export(state) })
        }
    }
}
