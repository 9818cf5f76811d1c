// The pieces of a sequence of learning rates. A curve asks for a hundred thousand steps, so a piece is found by binary
// search.

extension LearningRate {
    /// A piece of a sequence.
    public struct Piece: Sendable {
        /// The number of steps; nil if endless.
        public let steps: Int?
        /// Its rate.
        public let rate: LearningRate
    }

    /// The pieces of a sequence in order; only the last may be endless.
    public struct Pieces: Sendable {
        private let rates: [LearningRate]
        /// The steps at which pieces begin, and the end of the last one if it has an end.
        private let bounds: [Int]

        /// Combines pieces; the sum of their steps must not overflow.
        init(_ pieces: [Piece]) {
            rates = pieces.map(\.rate)
            bounds = pieces.reduce(into: [0]) { bounds, piece in
                if let steps = piece.steps { bounds.append((bounds.last ?? 0) + steps) }
            }
        }

        /// The number of steps of all pieces; nil if endless.
        var length: Int? { bounds.count > rates.count ? bounds.last : nil }

        /// The rate at a step; nil past the end.
        ///
        /// A rate that is shorter than its piece holds its last value, so that a sequence has no holes.
        func value(at step: Int) -> Float? {
            var (low, high) = (0, bounds.count)
            while high - low > 1 {
                let middle = (low + high) / 2
                if bounds[middle] <= step { low = middle } else { high = middle }
            }
            return low < rates.count ? rates[low].value(at: step - bounds[low], past: .hold) : nil
        }
    }
}
