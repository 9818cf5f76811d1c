// A learning rate in any of its forms: number, array, schedule, sequence. `PlanBuilder` reads one per group; the
// preview endpoint reads one without a model.

/// The behaviour past the end of an array.
public enum PastEnd: String, CaseIterable, Sendable {
    /// The step is refused and nothing changes (MindSpore's RuntimeError).
    case error
    /// The last value is held.
    case hold
}

/// A learning rate in any of its forms.
///
/// Source: seed, `learning_rate` (float, int, Tensor, Iterable, LearningRateSchedule).
public indirect enum LearningRate: Sendable {
    /// The same rate at every step.
    case constant(Float)
    /// Entry i is the rate of the update at step i.
    case table([Float])
    /// Computed from the step.
    case schedule(any LearningRateSchedule)
    /// Pieces in order, each counting its steps from 0.
    case sequence(Pieces)
    /// AdaFactor's relative step: the rule computes its own rate.
    case relative

    /// The number of steps it defines; nil if endless.
    public var length: Int? {
        switch self {
        case .constant, .relative: return nil
        case .table(let values): return values.count
        case .schedule(let schedule): return schedule.length
        case .sequence(let pieces): return pieces.length
        }
    }

    /// Whether it changes with the step.
    public var isDynamic: Bool {
        switch self {
        case .constant, .relative: return false
        default: return true
        }
    }

    /// The rate for the update after `step` updates; nil past the end, and for a relative step.
    ///
    /// `past` `.hold` holds the last value; an empty array has none.
    public func value(at step: Int, past: PastEnd = .error) -> Float? {
        var step = max(step, 0)
        if let length, step >= length {
            guard past == .hold, length > 0 else { return nil }
            step = length - 1
        }
        switch self {
        case .constant(let rate): return rate
        case .table(let values): return values[step]
        case .schedule(let schedule): return schedule.finiteValue(at: step)
        case .sequence(let pieces): return pieces.value(at: step)
        case .relative: return nil
        }
    }
}

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
