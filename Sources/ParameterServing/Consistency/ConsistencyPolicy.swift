// What a policy sees and what it answers. Policies are pure: the same push and the same round give the same decision,
// before the log as a forecast and after it for good.

import Names
import Optimizers

/// A push as its policy sees it.
struct ArrivingPush: Equatable {
    /// The worker that numbers it; nil for a push without a number.
    var worker: Name?
    /// Whether a retry of it can be recognized.
    var isKeyed: Bool
    /// The step at which its gradient was computed; nil if the push does not say.
    var base: Int?
    /// The branch on which the gradient was computed, if a restore has abandoned it.
    var branch: LeftBranch?
    /// Whether its worker is registered.
    var isRegistered: Bool
    /// The hyperparameters for its update.
    var brought: Hyperparameters?

    /// The number of updates since its gradient was computed.
    func staleness(at step: Int) -> Int { max(branch == nil ? 0 : 1, step - (base ?? step)) }
}

/// The open round as a policy sees it.
struct RoundView: Equatable {
    /// The number of updates before it closes.
    var step: Int
    /// The number of rounds that were settled before it.
    var number: Int
    /// The number of pushes that it holds.
    var received = 0
    /// The named workers among them.
    var workers: Set<Name> = []
    /// The number of workers that are registered.
    var registered: Int
    /// The number of registered workers among those in the round.
    var present = 0
    /// The hyperparameters of its pushes.
    var brought: Hyperparameters?

    /// Adds a held push.
    mutating func add(_ arrival: ArrivingPush) {
        if received == 0 { brought = arrival.brought }
        received += 1
        guard let worker = arrival.worker, workers.insert(worker).inserted else { return }
        if arrival.isRegistered { present += 1 }
    }

    /// Starts the next round.
    mutating func settle(isUpdate: Bool) {
        self = RoundView(step: step + (isUpdate ? 1 : 0), number: number + 1, registered: registered)
    }
}

extension RoundView {
    /// The refusal of a push whose hyperparameters differ from those of the round; nil if they are equal.
    func refusal(ofBroughtBy arrival: ArrivingPush) -> ServingError? {
        guard received > 0, arrival.brought != brought else { return nil }
        return .otherHyperparameters(arrival.brought, ofRound: brought)
    }
}

/// The decision about a push.
enum Decision: Equatable {
    /// Update now, with the gradient divided by `divisor`.
    case apply(divisor: Float)
    /// Keep it in the round.
    case hold
    /// Keep it, and close the round.
    case close
    /// Refuse it.
    case refuse(ServingError)
}

/// The decision about a round at its deadline.
enum DeadlineDecision: Equatable {
    /// Update with what it holds.
    case close
    /// Forget what it holds, and tell each holder.
    case drop
    /// Wait as long again.
    case extend
}

/// When the pushes of a model are applied.
protocol ConsistencyPolicy: Sendable {
    /// Decides about a push when `round` is open.
    func decide(_ arrival: ArrivingPush, _ round: RoundView) -> Decision
    /// Decides about a round at its deadline.
    func decideAtDeadline(_ round: RoundView) -> DeadlineDecision
    /// The number of pushes with which the round closes at once; nil if only a request closes it.
    func needed(_ round: RoundView) -> Int?
    /// The number of pushes with which it closes at its deadline; without one, at a request.
    func quorum(_ round: RoundView) -> Int
    /// How long a round stays open; nil if it has no deadline.
    var timeout: RoundTimeout? { get }
    /// How its gradients become one.
    var reduction: Reduction { get }
    /// Whether it treats late pushes differently, so that a push without `based_on` escapes it.
    var judgesLateness: Bool { get }
    /// Its settings, defaults included, without the mode.
    var members: [(Name, SettingValue)] { get }
}

/// The rules of modes without rounds.
extension ConsistencyPolicy {
    func decideAtDeadline(_ round: RoundView) -> DeadlineDecision { .close }
    func needed(_ round: RoundView) -> Int? { nil }
    func quorum(_ round: RoundView) -> Int { reduction.leastPushes }
    var timeout: RoundTimeout? { nil }
    var reduction: Reduction { .mean }
    var judgesLateness: Bool { false }
}
