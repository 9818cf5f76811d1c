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

    /// The average whose values it has instead of the optimizer's slots; nil for the optimizer's state.
    public let average: PublishedAverage?
    /// The version that the state belongs to.
    public let version: PublishedVersion
    /// Every slot of every parameter, in update order; for an average, its values as `PARAMETER#average.NAME`.
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
        average = nil
        counts = zip(layout.parameters, optimizer.counts).compactMap { parameter, count in
            parameter.isTrainable ? (name: Name("\(parameter.name)#step"), value: count) : nil
        }
        scalars = optimizer.exportedScalars
    }

    /// The part of a state that belongs to one average.
    ///
    /// - Throws: `unknownAverage`, `averageNotStarted`.
    private init(_ whole: ModelExport, average name: Name) throws(ServingError) {
        let (average, values) = (try whole.version.average(name), try whole.version.values(of: name).buffer)
        self.average = average
        (version, image, digest) = (whole.version, whole.image, whole.digest)
        slots = whole.version.facts.layout.parameters.map { parameter in
            SlotValues(
                name: AverageMemory.name(of: parameter.name, in: average.average.kind), shape: parameter.shape,
                values: UnsafeBufferPointer(values[parameter.range]))
        }
        (counts, scalars) = ([], [(name: "average.\(name)#updates", value: Double(average.updates))])
    }

    /// The optimizer's state, or the values of an average.
    ///
    /// - Throws: `unknownAverage`, `averageNotStarted`.
    public func part(_ average: Name?) throws(ServingError) -> ModelExport {
        guard let average else { return self }
        return try ModelExport(self, average: average)
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
