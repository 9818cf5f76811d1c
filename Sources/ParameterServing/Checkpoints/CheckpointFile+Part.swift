// The whole of a checkpoint's file, or the values of one average in it, which tools can load as parameters.

import Names
import Optimizers

extension CheckpointFile {
    /// Consecutive tensors of a checkpoint.
    public struct Part: Sendable {
        /// The average whose values these are; nil for the whole file.
        public let average: (name: Name, updates: Int)?
        /// The tensors in the order of their values.
        public let tensors: [Tensor]
        /// The place of their values among all, in bytes.
        public let bytes: Range<Int>
    }

    /// All tensors.
    public var whole: Part { Part(average: nil, tensors: tensors, bytes: 0..<valueBytes) }

    /// The names of the averages with values.
    public var averageNames: [Name] { averages.map(\.kind.name) }

    /// The values of an average under the names of the parameters; nil if the checkpoint has none of that name.
    public func part(ofAverage name: Name) -> Part? {
        guard let place = averages.firstIndex(where: { $0.kind.name == name }) else { return nil }
        let parameters = Array(tensors.prefix(parameterCount))
        let count = parameters.reduce(0) { $0 + $1.shape.elementCount } * MemoryLayout<Float>.stride
        // Of the state, averages are last, each as long as the parameters.
        let end = stateBytes - (averages.count - 1 - place) * count
        return Part(average: (name, averages[place].updates), tensors: parameters, bytes: end - count..<end)
    }
}
