// A version in a history of rounds as its readers see it: the parameters say which pushes are in it, and in which order
// each round was summed.

@testable import ParameterServing

/// A version as its readers see it.
struct SeenVersion {
    let uid: ModelUID
    let version: Int
    let step: Int
    let consistency: Consistency
    /// By worker and number, how often its push is counted.
    let counts: [[Int]]
    /// The element that all pushes change.
    let shared: Float

    init(_ model: Model) {
        let current = model.publication.current
        let values = current.values(at: 0)
        (uid, version, step, consistency) = (model.uid, current.version, current.step, current.facts.consistency)
        counts = (0..<RoundStory.workers).map { worker in
            let first = worker * RoundStory.numbers
            return values[first..<first + RoundStory.numbers].map { -Int($0) }
        }
        shared = values.last ?? 0
    }

    /// Whether it is one update behind another, so that its new pushes are those of one round or one push.
    func isOneUpdate(after before: SeenVersion) -> Bool {
        version == before.version + 1 && step == before.step + 1
    }

    /// By worker, the number of pushes that another version does not have.
    func added(after before: SeenVersion) -> [Int] {
        zip(counts, before.counts).map { $0.reduce(0, +) - $1.reduce(0, +) }
    }

    /// What is wrong with this version as a successor of another; nil if nothing is.
    ///
    /// - Parameters:
    ///   - before: a version that was seen before.
    ///   - mayBeSmall: whether a request may have closed the round early.
    ///   - mayRepeat: whether the round may be older than its mode, and so have several pushes of a worker.
    func problem(after before: SeenVersion, mayBeSmall: Bool, mayRepeat: Bool) -> String? {
        if version < before.version { return "version \(version) after \(before.version)" }
        let lost = zip(counts, before.counts).contains { zip($0, $1).contains { $0 < $1 } }
        if lost { return "version \(version) lacks a push of version \(before.version)" }
        if version == before.version {
            let isSame = counts == before.counts && shared == before.shared
            return isSame ? nil : "version \(version) has other parameters than before"
        }
        guard isOneUpdate(after: before) else { return nil }
        let added = added(after: before)
        return sizeProblem(added, mayBeSmall, mayRepeat) ?? orderProblem(added, before.shared)
    }

    private func sizeProblem(_ added: [Int], _ mayBeSmall: Bool, _ mayRepeat: Bool) -> String? {
        let total = added.reduce(0, +)
        switch consistency {
        case .async, .ssp: return total == 1 ? nil : "step \(step) has \(total) pushes: \(added)"
        case .manual: return total > 0 ? nil : "step \(step) has no push"
        case .sync(let policy):
            if !mayRepeat, added.contains(where: { $0 > 1 }) {
                return "step \(step) has several pushes of a worker: \(added)"
            }
            // A round of registered workers may wait for one only.
            let isSmall = mayBeSmall || consistency.waitsForRegistered
            let least = isSmall ? 1 : policy.minPushes ?? RoundStory.workers
            return total >= least ? nil : "step \(step) has \(total) pushes, and needs \(least)"
        }
    }

    /// The sum of a round is formed in the order of workers.
    private func orderProblem(_ added: [Int], _ before: Float) -> String? {
        var sum = 0.0
        for (worker, count) in added.enumerated() {
            for _ in 0..<count { sum += RoundStory.shares[worker] }
        }
        let wanted = before - Float(sum)
        return shared == wanted ? nil : "step \(step) of \(added) has the sum \(shared), not \(wanted)"
    }
}
