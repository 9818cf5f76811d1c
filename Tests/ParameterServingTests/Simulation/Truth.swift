// What the clients of one name know for certain, kept by themselves from the answers that they got: the other side of
// every comparison.

@testable import ParameterServing

/// The clients' own account of a name.
///
/// A push of a worker moves one number of the model by -1, so that the values count the pushes.
struct Truth {
    static let workers = 3

    /// The model that has the name; nil for none.
    var uid: ModelUID?
    /// The models that have had it.
    var past: Set<ModelUID> = []
    /// How many pushes of each worker are in the values.
    var counts = [Int](repeating: 0, count: workers)
    /// The number of each worker's last acknowledged push.
    var seqs = [Int](repeating: 0, count: workers)
    /// The receipt of it, as long as it must be known.
    var receipts = [Receipt?](repeating: nil, count: workers)
    /// What each version held that someone has seen.
    var shown: [Int: [Int]] = [:]
    /// The highest version that someone was told of.
    var newest = 0
    /// What each checkpoint holds.
    var checkpoints: [UInt64: [Int]] = [:]
    /// Whether every step moved one count, so that they add up to the step.
    var isPlain = true

    /// The name belongs to another model from now on, or to none.
    mutating func begin(_ uid: ModelUID?) {
        let past = past
        self = Truth()
        self.uid = uid
        self.past = past.union([uid].compactMap(\.self))
    }

    /// The values that a model may have while these requests are unanswered; nil where all are possible.
    func allows(_ counts: [Int], step: Int, open: [Request]) -> Bool {
        for request in open {
            switch request.kind {
            case .importCounts(let imported) where imported == counts: return true
            case .restore(let id) where checkpoints[id] == counts: return true
            case .rollback(let target) where step == target && counts.reduce(0, +) == step: return true
            default: break
            }
        }
        return counts.indices.allSatisfy { worker in
            let more = open.filter { $0.kind.worker == worker }.count
            return (self.counts[worker]...self.counts[worker] + more).contains(counts[worker])
        }
    }
}
