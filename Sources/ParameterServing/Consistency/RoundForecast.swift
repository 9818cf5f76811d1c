// The round as it will be once everything on its way to the log has been applied. A push is decided against it, so that
// its refusal is known before it is logged; what counts is decided again when it is applied.

import Names
import Optimizers
import Threading

/// The state of rounds and steps after the commands in progress.
///
/// 1. A command leaves in the order in which it was added, except for one that is withdrawn before the next is added.
struct RoundForecast {
    /// A command on its way to the log.
    private enum Command {
        case push(ArrivingPush)
        case closing(round: Int?, isUpdate: Bool)
    }

    /// What is expected after a command.
    private struct Expectation: Equatable {
        var step: Int
        var number: Int
        var received: Int

        init(_ view: RoundView) { (step, number, received) = (view.step, view.number, view.received) }
    }

    private var commands = Fifo<(command: Command, after: Expectation)>()
    /// The forecast; valid while commands are in progress.
    private var view: RoundView?

    /// The number of commands in progress.
    var count: Int { commands.count }

    /// The round after the commands in progress; `now` if there are none.
    func view(after now: RoundView) -> RoundView { view ?? now }

    /// Adds a push that a policy has accepted.
    mutating func add(_ arrival: ArrivingPush, _ decision: Decision, after now: RoundView) {
        var next = view(after: now)
        next.take(arrival, decision)
        append(.push(arrival), next)
    }

    /// Adds a closing.
    mutating func add(closing round: Int?, isUpdate: Bool, after now: RoundView) {
        var next = view(after: now)
        if next.number == round ?? next.number, next.received > 0 { next.settle(isUpdate: isUpdate) }
        append(.closing(round: round, isUpdate: isUpdate), next)
    }

    private mutating func append(_ command: Command, _ next: RoundView) {
        commands.append((command, Expectation(next)))
        view = next
    }

    /// Removes the oldest command, which has been applied or abandoned, and starts again from `now` if that is not what
    /// was expected.
    mutating func remove(_ now: RoundView, _ policy: any ConsistencyPolicy) {
        let first = commands.popFirst()
        invariant(first != nil, "1: a command ends that was not added")
        guard !commands.isEmpty else {
            view = nil
            return
        }
        if first?.after == Expectation(now) { return }
        rebuild(from: now, policy)
    }

    /// Removes the newest command, which is not logged after all.
    mutating func removeNewest(_ now: RoundView, _ policy: any ConsistencyPolicy) {
        let newest = commands.popLast()
        invariant(newest != nil, "1: a command is withdrawn that was not added")
        view = nil
        rebuild(from: now, policy)
    }

    /// Starts again from `now`, after a change of the policy or of the workers.
    mutating func rebuild(from now: RoundView, _ policy: any ConsistencyPolicy) {
        guard !commands.isEmpty else { return }
        var rest = commands
        (commands, view) = (Fifo(), now)
        while let (command, _) = rest.popFirst() {
            switch command {
            case .push(let arrival): add(arrival, policy.decide(arrival, view(after: now)), after: now)
            case .closing(let round, let isUpdate): add(closing: round, isUpdate: isUpdate, after: now)
            }
        }
    }
}

extension RoundView {
    /// The round after a push with this decision.
    mutating func take(_ arrival: ArrivingPush, _ decision: Decision) {
        switch decision {
        case .apply: step += 1
        case .hold: add(arrival)
        case .close: settle(isUpdate: true)
        case .refuse: break
        }
    }
}
