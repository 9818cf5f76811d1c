// The number of pushes in a round with a robust reduction: at least so many that it can leave out the wrong ones; for
// krum, at most so many that their comparison does not hold up the model. Applies to requests only: a journal may
// contain other rounds, from earlier releases.

import Names
import Optimizers

extension Consistency {
    /// The most pushes of a round; nil if only memory bounds them.
    var mostPushes: Int? {
        if case .krum = policy.reduction { DefinitionLimits.krumPushes } else { nil }
    }

    /// Refuses a definition whose rounds would have too many pushes for its reduction, or too few.
    ///
    /// In mode `manual`, POST step is refused as long as the round has too few.
    ///
    /// - Throws: `.invalid`, a ValueError.
    func checkPushes() throws(OptimizerError) {
        guard case .sync(let policy) = self else { return }
        try policy.checkQuorum()
        try policy.reduction.checkTrim(of: policy.leastPushes, at: "/consistency/trim")
        guard let mostPushes else { return }
        if case .number(let count) = policy.participants { try Self.check(count, mostPushes, "workers") }
        if let minPushes = policy.minPushes {
            try Self.check(minPushes, mostPushes, "min_pushes")
            try policy.reduction.check(pushes: minPushes, at: "/consistency/min_pushes")
        } else if policy.participants == .single {
            try policy.reduction.check(pushes: 1, at: "/consistency/workers")
        }
    }

    private static func check(_ count: Int, _ most: Int, _ member: Name) throws(OptimizerError) {
        guard count > most else { return }
        throw .invalid(
            Complaint(
                pointer: "/consistency/\(member)", exception: .valueError,
                detail:
                    "krum compares each push of a round with every other, so `\(member)` can be at most \(most); got \(count). Use fewer, or `\"reduce\":\"trimmed_mean\"` or `\"median\"`, which have no such limit.",
                expected: "at most \(most)", got: "\(count)"))
    }
}

extension Synchronous {
    /// Refuses rounds of registered workers that do not say how many pushes they have at least: the first worker to
    /// register would be a round of its own.
    fileprivate func checkQuorum() throws(OptimizerError) {
        guard participants == .registered, minPushes == nil, reduction.leastPushes > 1 else { return }
        throw .invalid(
            Complaint(
                pointer: "/consistency/min_pushes", exception: .valueError,
                detail:
                    "\(reduction.need), and there may be fewer registered workers. Add `\"min_pushes\":\(reduction.leastPushes)` or more.",
                expected: "\(reduction.leastPushes) or more", got: "nothing"))
    }

    /// The smallest number of pushes with which a round closes; nil if it is not known in advance.
    fileprivate var leastPushes: Int? { minPushes ?? fullRound }
}
