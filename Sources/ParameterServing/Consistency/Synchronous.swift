// Mode `sync`: the pushes of all workers make one update. A round closes when everyone has pushed; at its deadline a
// quorum is enough, so that the others are backup workers.

import Names
import Optimizers

/// The pushes of all workers are one update.
///
/// - Source: Chen et al., Revisiting Distributed Synchronous SGD, 2016 (backup workers).
public struct Synchronous: ConsistencyPolicy, Equatable {
    /// The workers that a round waits for.
    enum Participants: Equatable {
        /// One worker that accumulates `min_pushes` gradients.
        case single
        /// This many pushes of different workers.
        case number(Int)
        /// Every registered worker.
        case registered
    }

    /// What happens to a round without a quorum at its deadline.
    enum TimeoutPolicy: String, CaseIterable {
        case drop
        case extend
    }

    var participants: Participants
    /// The quorum at the deadline, also if fewer workers are registered; with one worker, the number of pushes of a
    /// round.
    ///
    /// Nil if it is `fullRound`, so that writing out the default means the same.
    var minPushes: Int?
    var roundTimeout: RoundTimeout
    var onTimeout: TimeoutPolicy
    var reduction: Reduction

    init(_ reader: SettingReader) throws(OptimizerError) {
        participants = try Participants(reader)
        minPushes = try reader.wholeNumber(ifPresent: "min_pushes", atLeast: 1)
        roundTimeout = try RoundTimeout(reader)
        onTimeout = try reader.choice("on_timeout", default: .drop)
        reduction = try Reduction(reader)
        if case .number(let count) = participants {
            let member = minPushes == nil ? "workers" : "min_pushes"
            try reduction.check(pushes: minPushes ?? count, at: "/consistency/\(member)")
        }
        if case .number(let count) = participants, let minPushes, minPushes > count {
            throw reader.complaint(
                "min_pushes", .valueError,
                "`min_pushes` must be at most `workers`, which is \(count); got \(minPushes). Send `min_pushes` of at most \(count) in the same request.",
                "at most \(count)", "\(minPushes)")
        }
        if minPushes == fullRound { minPushes = nil }
    }

    func decide(_ arrival: ArrivingPush, _ round: RoundView) -> Decision {
        if let refusal = refusal(of: arrival, round) { return .refuse(refusal) }
        // The set of workers, which may be long, is not copied.
        var next = round
        next.received += 1
        if arrival.isRegistered { next.present += 1 }
        return next.received >= wanted(next) ? .close : .hold
    }

    private func refusal(of arrival: ArrivingPush, _ round: RoundView) -> ServingError? {
        switch participants {
        case .single: break
        case .number: if !arrival.isKeyed { return .keyRequired }
        case .registered: if !arrival.isRegistered { return .notRegistered(arrival.worker) }
        }
        if arrival.staleness(at: round.step) > 0 {
            let base = arrival.branch?.step ?? arrival.base ?? round.step
            return .roundClosed(basedOn: base, step: round.step, branch: arrival.branch)
        }
        if participants != .single, let worker = arrival.worker, round.workers.contains(worker) {
            return .alreadyInRound(
                worker: worker, step: round.step + 1, received: round.received, needed: wanted(round))
        }
        return round.refusal(ofBroughtBy: arrival)
    }

    func decideAtDeadline(_ round: RoundView) -> DeadlineDecision {
        if round.received >= quorum(round) { return .close }
        return onTimeout == .drop ? .drop : .extend
    }

    /// The number of pushes of a complete round.
    private func wanted(_ round: RoundView) -> Int {
        switch participants {
        case .single: minPushes ?? 1
        case .number(let count): count
        // A push whose worker has left meanwhile stays in the round. If fewer workers than the quorum are registered,
        // the round waits for more of them: the first worker to start, or the last to stay, does not train alone.
        case .registered: max(minPushes ?? 1, round.received + round.registered - round.present)
        }
    }

    func needed(_ round: RoundView) -> Int? { wanted(round) }

    /// Definitions of earlier releases may have a smaller one than their reduction needs.
    func quorum(_ round: RoundView) -> Int { max(reduction.leastPushes, min(minPushes ?? .max, wanted(round))) }

    /// Rounds that close without some of the workers.
    var judgesLateness: Bool {
        switch participants {
        case .single: false
        case .number(let count): minPushes.map { $0 < count } ?? false
        case .registered: minPushes != nil
        }
    }

    var timeout: RoundTimeout? { roundTimeout }

    /// The number of pushes of a round without `min_pushes`; nil if it is not known in advance.
    var fullRound: Int? {
        switch participants {
        case .single: 1
        case .number(let count): count
        case .registered: nil
        }
    }

    var members: [(Name, SettingValue)] { members(minPushes: minPushes) }

    /// The settings with this `min_pushes`.
    func members(minPushes: Int?) -> [(Name, SettingValue)] {
        var members: [(Name, SettingValue)] = [("workers", participants.setting)]
        if let minPushes { members.append(("min_pushes", .integer(minPushes))) }
        members.append(("round_timeout", roundTimeout.setting))
        members.append(("on_timeout", .string(onTimeout.rawValue)))
        return members + reduction.members
    }
}

extension Synchronous.Participants {
    /// Reads `workers`: a number, "registered", or nothing for one worker.
    fileprivate init(_ reader: SettingReader) throws(OptimizerError) {
        switch reader.raw("workers") {
        case .string("registered")?: self = .registered
        case .string(let text)?:
            throw reader.complaint(
                "workers", .valueError, "`workers` must be an integer >= 1 or \"registered\"; got \"\(text)\".")
        case nil: self = .single
        case .some:
            let count = try reader.wholeNumber("workers", atLeast: 1)
            self = count == 1 ? .single : .number(count)
        }
        guard self == .single, !reader.has("workers"), !reader.has("min_pushes") else { return }
        throw reader.complaint(
            "workers", .typeError,
            "`consistency` of mode \"sync\" needs `workers` or `min_pushes`. Add `\"workers\":N` or `\"workers\":\"registered\"`, or `\"min_pushes\":N` to accumulate the gradients of one worker."
        )
    }

    /// The value of `workers`.
    fileprivate var setting: SettingValue {
        switch self {
        case .single: .integer(1)
        case .number(let count): .integer(count)
        case .registered: .string("registered")
        }
    }
}
