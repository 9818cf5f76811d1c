// What the clients of one name know for certain, recorded by the clients from their answers. Every comparison uses it
// as the expected state.

@testable import ParameterServing

/// The clients' own account of a name.
///
/// A push of a worker moves one number of the model by -1, so that the values count the pushes.
struct Truth {
    static let workers = 3

    /// The model that has the name; nil if there is none.
    var uid: ModelUID?
    /// The models that have had the name.
    var past: Set<ModelUID> = []
    /// The number of each worker's pushes that the values include.
    var counts = [Int](repeating: 0, count: workers)
    /// The number of each worker's last acknowledged push.
    var seqs = [Int](repeating: 0, count: workers)
    /// The receipt of that push, as long as the daemon must know it.
    var receipts = [Receipt?](repeating: nil, count: workers)
    /// The epoch of each worker's last registration; 0 if it never registered.
    var epochs = [Int](repeating: 0, count: workers)
    /// Whether that epoch may have ended without its client: by a lease, or because the registration may be lost.
    var mayHaveEnded = [Bool](repeating: false, count: workers)
    /// Whether the worker knows that its epoch has ended, so that it has to register.
    var hasEnded = [Bool](repeating: false, count: workers)
    /// Whether the model certainly knows the worker.
    var isKnown = [Bool](repeating: false, count: workers)
    /// The highest epoch that a client was given.
    var lastEpoch = 0
    /// Registrations that have ended: nothing of them may be applied any more.
    var ended: [(worker: Int, epoch: Int)] = []
    /// The counts in each version that a client has seen.
    var shown: [Int: [Int]] = [:]
    /// The highest version in any answer.
    var newest = 0
    /// The counts in each checkpoint.
    var checkpoints: [UInt64: [Int]] = [:]
    /// Whether every step has changed exactly one count, so that the counts add up to the step.
    var isPlain = true

    /// Starts again for another model of the name, or for none.
    mutating func begin(_ uid: ModelUID?) {
        let past = past
        self = Truth()
        self.uid = uid
        self.past = past.union([uid].compactMap(\.self))
    }

    /// Begins a registration of a worker.
    mutating func register(_ worker: Int, epoch: Int, hasLease: Bool) {
        // If the earlier registration is lost, its epoch is reused.
        if epochs[worker] < epoch { end(worker) }
        receipts[worker] = nil
        (epochs[worker], lastEpoch, seqs[worker]) = (epoch, max(epoch, lastEpoch), 0)
        (mayHaveEnded[worker], hasEnded[worker], isKnown[worker]) = (hasLease, false, true)
    }

    /// Ends the registration of a worker, if it has one, and forgets its receipt.
    mutating func end(_ worker: Int) {
        receipts[worker] = nil
        guard epochs[worker] > 0 else { return }
        if !hasEnded[worker] { ended.append((worker, epochs[worker])) }
        hasEnded[worker] = true
    }

    /// Records that the daemon may have lost any of the workers' registrations and pushes.
    mutating func doubtWorkers() {
        receipts = receipts.map { _ in nil }
        mayHaveEnded = mayHaveEnded.map { _ in true }
        isKnown = isKnown.map { _ in false }
        (lastEpoch, ended) = (0, [])
    }

    /// Whether a model may have these counts while the requests in `open` are unanswered.
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
