// What followers of a model hear about a round when it ends.

/// A round that has ended: how many pushes it held, whether they were applied, and why it ended then.
public struct SettledRound: Sendable, Equatable {
    /// The result for its pushes.
    public enum Outcome: String, Sendable {
        /// They are one update.
        case applied
        /// Their update was skipped, because its gradients overflowed.
        case skipped
        /// They were given up.
        case dropped
    }

    /// Why it ended.
    public enum Reason: String, Sendable {
        /// It had all pushes that it waited for.
        case full
        /// It had its quorum at its deadline.
        case quorum
        /// A request closed it.
        case step
        /// The model changed to a mode without rounds.
        case mode
        /// At its deadline it had fewer pushes than its quorum.
        case deadline
        /// An earlier state was restored.
        case restored
        /// Its update was refused.
        case refused
        /// Its update would have made a parameter or a slot non-finite.
        case diverged
        /// Its gradients overflowed, as all of many before, at the smallest loss scale.
        case overflow
    }

    /// Its number, from 1: how many rounds of the model have ended.
    public let number: Int
    /// The step that it made, or would have made.
    public let step: Int
    /// The number of pushes that it held.
    public let pushes: Int
    /// The number of pushes that it waited for; nil if only a request closes it.
    public let needed: Int?
    /// Why it ended.
    public internal(set) var reason: Reason
    /// The result for its pushes.
    public internal(set) var outcome = Outcome.dropped
    /// The version that it made; nil if it was not applied.
    public internal(set) var version: Int?
}

extension SettledRound.Reason {
    init(_ reason: DropReason) {
        self =
            switch reason {
            case .timeout: .deadline
            case .restored: .restored
            case .refused: .refused
            case .diverged: .diverged
            case .overflow: .overflow
            }
    }
}

extension ModelState {
    /// The open round as an event reports it, before it is settled.
    func settledRound(_ reason: SettledRound.Reason) -> SettledRound {
        let view = roundView
        return SettledRound(
            number: view.number + 1, step: view.step + 1, pushes: view.received, needed: policy.needed(view),
            reason: reason)
    }

    /// Tells followers of a round that has ended.
    mutating func announce(
        _ settled: SettledRound, _ outcome: SettledRound.Outcome, because reason: SettledRound.Reason? = nil
    ) {
        var settled = settled
        (settled.outcome, settled.reason) = (outcome, reason ?? settled.reason)
        settled.version = outcome == .applied ? version : nil
        announce(.round(settled))
    }
}
