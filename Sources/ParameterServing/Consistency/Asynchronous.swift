// Mode `async`: each push is an update as soon as it arrives; a bound on staleness is optional.

import Names
import Optimizers

/// Each push is an update.
///
/// A push is stale by the number of updates between the step that it was computed at and now. Within `max_staleness`
/// it is applied as it is; beyond, it is refused, or its gradient is divided by 1 + staleness.
public struct Asynchronous: ConsistencyPolicy, Equatable {
    /// What happens to a push beyond the bound.
    enum StalePolicy: String, CaseIterable {
        case reject
        case scale
    }

    /// The largest staleness that has no consequence; nil for any.
    var maxStaleness: Int?
    var stalePolicy = StalePolicy.reject

    init() {}

    init(_ reader: SettingReader) throws(OptimizerError) {
        maxStaleness = try reader.wholeNumber(ifPresent: "max_staleness", atLeast: 0)
        stalePolicy = try reader.choice("staleness_policy", default: .reject)
        guard maxStaleness != nil || !reader.has("staleness_policy") else {
            throw reader.complaint(
                "staleness_policy", .valueError,
                "`staleness_policy` has no effect without `max_staleness`; add the largest staleness to accept.")
        }
    }

    func decide(_ arrival: ArrivingPush, _ round: RoundView) -> Decision {
        let staleness = arrival.staleness(at: round.step)
        guard let maxStaleness, staleness > maxStaleness else { return .apply(divisor: 1) }
        switch stalePolicy {
        case .reject:
            return .refuse(
                .tooStale(staleness: staleness, limit: maxStaleness, step: round.step, branch: arrival.branch))
        case .scale: return .apply(divisor: Float(1 + staleness))
        }
    }

    var judgesLateness: Bool { maxStaleness != nil }

    var members: [(Name, SettingValue)] {
        guard let maxStaleness else { return [] }
        return [
            ("max_staleness", .integer(maxStaleness)), ("staleness_policy", .string(stalePolicy.rawValue)),
        ]
    }
}
