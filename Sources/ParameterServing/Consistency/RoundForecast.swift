// The round as it will be once everything on its way to the log has been applied. A push is decided against it, so that
// its refusal is known before it is logged; what counts is decided again when it is applied.

import Names
import Optimizers
import Threading

/// The state of rounds, steps and registrations after the commands in progress.
///
/// 1. A command leaves in the order in which it was added, except for one that is withdrawn before the next is added.
struct RoundForecast {
    /// A command on its way to the log.
    private enum Command {
        case push(ArrivingPush)
        case closing(round: Int?, isUpdate: Bool)
        case registration(Name, epoch: Int, isNew: Bool)
        case departure([Name])

        /// The workers whose epochs it ends.
        var workers: [Name] {
            switch self {
            case .push, .closing: []
            case .registration(let worker, _, _): [worker]
            case .departure(let workers): workers
            }
        }
    }

    /// What is expected after a command.
    private struct Expectation: Equatable {
        var step: Int
        var number: Int
        var received: Int
        var registered: Int

        init(_ view: RoundView) {
            (step, number, received, registered) = (view.step, view.number, view.received, view.registered)
        }
    }

    private var commands = Fifo<(command: Command, after: Expectation)>()
    /// The forecast; valid while commands are in progress.
    private var view: RoundView?
    /// By worker, the number of commands in progress that end its epoch, and the epoch after them; nil for none.
    private var changing: [Name: (count: Int, epoch: Int?)] = [:]
    /// The number of registrations in progress.
    private(set) var registrations = 0

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

    /// Adds a registration; `isNew` if the worker was not registered before.
    mutating func add(registrationOf worker: Name, epoch: Int, isNew: Bool, after now: RoundView) {
        var next = view(after: now)
        if isNew { next.join(worker) }
        registrations += 1
        append(.registration(worker, epoch: epoch, isNew: isNew), next)
    }

    /// Adds the end of registrations: a round that waits for no one else closes.
    mutating func add(departureOf workers: [Name], _ policy: any ConsistencyPolicy, after now: RoundView) {
        var next = view(after: now)
        for worker in workers {
            next.leave(worker)
            if next.received > 0, let needed = policy.needed(next), next.received >= needed {
                next.settle(isUpdate: true)
            }
        }
        append(.departure(workers), next)
    }

    /// Whether a command in progress ends the epoch of a worker, and the epoch that it has then.
    func change(of worker: Name) -> (isChange: Bool, epoch: Int?) {
        changing[worker].map { (true, $0.epoch) } ?? (false, nil)
    }

    private mutating func append(_ command: Command, _ next: RoundView) {
        commands.append((command, Expectation(next)))
        view = next
        let epoch: Int? = if case .registration(_, let epoch, _) = command { epoch } else { nil }
        for worker in command.workers { changing[worker] = ((changing[worker]?.count ?? 0) + 1, epoch) }
    }

    /// Removes the oldest command, which has been applied or abandoned, and starts again from `now` if that is not what
    /// was expected.
    mutating func remove(_ now: RoundView, _ policy: any ConsistencyPolicy) {
        let first = commands.popFirst()
        invariant(first != nil, "1: a command ends that was not added")
        if let first { end(first.command) }
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
        if let newest { end(newest.command) }
        view = nil
        rebuild(from: now, policy)
    }

    private mutating func end(_ command: Command) {
        if case .registration = command { registrations -= 1 }
        for worker in command.workers {
            guard let (count, epoch) = changing[worker] else { continue }
            changing[worker] = count > 1 ? (count - 1, epoch) : nil
        }
    }

    /// Starts again from `now`, after a change of the policy or of the workers.
    mutating func rebuild(from now: RoundView, _ policy: any ConsistencyPolicy) {
        guard !commands.isEmpty else { return }
        var rest = commands
        (commands, view, changing, registrations) = (Fifo(), now, [:], 0)
        while let (command, _) = rest.popFirst() {
            switch command {
            case .push(let arrival): add(arrival, policy.decide(arrival, view(after: now)), after: now)
            case .closing(let round, let isUpdate): add(closing: round, isUpdate: isUpdate, after: now)
            case .registration(let worker, let epoch, let isNew):
                add(registrationOf: worker, epoch: epoch, isNew: isNew, after: now)
            case .departure(let workers): add(departureOf: workers, policy, after: now)
            }
        }
    }
}

extension RoundView {
    /// The round after a worker has registered that was not.
    mutating func join(_ worker: Name) {
        registered += 1
        if workers.contains(worker) { present += 1 }
    }

    /// The round after a registration has ended.
    mutating func leave(_ worker: Name) {
        registered -= 1
        if workers.contains(worker) { present -= 1 }
    }

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
