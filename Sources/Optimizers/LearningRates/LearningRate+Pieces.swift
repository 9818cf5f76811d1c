// The parts of a sequence of learning rates. A curve asks for a hundred thousand steps: each is found without a walk past all
// parts before it.

extension LearningRate {
    /// A part of a sequence.
    public struct Piece: Sendable {
        /// How many steps it lasts; nil: forever.
        public let steps: Int?
        /// Its rate.
        public let rate: LearningRate
    }

    /// The parts of a sequence in order, of which only the last may last forever.
    public struct Pieces: Sendable {
        private let rates: [LearningRate]
        /// The steps at which the parts begin, and at which the last one ends if it does.
        private let bounds: [Int]

        /// Puts parts together whose steps add up to a number.
        init(_ pieces: [Piece]) {
            rates = pieces.map(\.rate)
            bounds = pieces.reduce(into: [0]) { bounds, piece in
                if let steps = piece.steps { bounds.append((bounds.last ?? 0) + steps) }
            }
        }

        /// How many steps all parts last; nil: forever.
        var length: Int? { bounds.count > rates.count ? bounds.last : nil }

        /// The rate at a step; nil past the end.
        ///
        /// A part shorter than its `steps` holds its last value, so that a sequence has no holes.
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
