// The effects that a model's state machine requests, as values: they can be compared, listed and ignored. `Model`
// executes them in order; a replay of the log drops them.

import Names

/// Identifies the request that waits for the outcome of a command.
struct Ticket: Hashable, Comparable, Sendable {
    let number: UInt64

    static func < (one: Ticket, other: Ticket) -> Bool { one.number < other.number }
}

/// The outcome of a command.
struct Outcome: Sendable, Equatable {
    var answer: StoredAnswer
    /// Whether the answer was first given to an earlier request, or an earlier push with the same number.
    var isRepeated = false
}

/// What to do after a command has been applied.
enum Effect: Equatable {
    /// Publish the state to pulls.
    case publish
    /// Notify followers of the model; `time` is when its command was admitted, if the record says so.
    case event(ModelEvent, number: Int, time: Int?)
    /// Tell pulls that an update made the parameter non-finite.
    case markDiverged(String)
    /// Start the lease of a worker that has registered, or forget the earlier one if it has registered without.
    case startLease(Name)
    /// Release what waits for a worker whose epoch has ended: it has left, or has registered again.
    case endEpoch(Int, of: Name)
    /// Deliver the outcome to the holder of the ticket.
    case reply(Ticket, Result<Outcome, ServingError>)
    /// Deliver the final outcome of a push to a request that waits for its round; it may have stopped waiting.
    case settle(Ticket, Result<Outcome, ServingError>)
    /// Start the clock of a round.
    case arm(round: Int, RoundTimeout)
    /// Note that a round has its quorum.
    case quorum(round: Int)
    /// Stop the clock of the round.
    case disarm
    /// Let workers continue that are no longer too far ahead.
    case openGate
}

extension Outcome {
    /// A stored answer, for a repeated request.
    static func again(_ answer: StoredAnswer, isDurable: Bool) -> Outcome {
        var outcome = Outcome(answer: answer).repeated
        if case .receipt(var receipt) = outcome.answer {
            receipt.durable = isDurable
            outcome.answer = .receipt(receipt)
        }
        return outcome
    }

    /// The outcome, completed with what is only known at the time of the answer.
    func noting(isDurable: Bool, woken: Int) -> Outcome {
        guard case .receipt(var receipt) = answer else { return self }
        receipt.durable = isDurable
        receipt.woken = woken
        return Outcome(answer: .receipt(receipt), isRepeated: isRepeated)
    }
}

extension Result<Outcome, ServingError> {
    /// Whether this can be the outcome of a command that `decide` accepted, if the state has not changed since.
    var isAsDecided: Bool {
        switch self {
        case .success, .failure(.diverged), .failure(.lossScaleStuck): true
        case .failure: false
        }
    }
}
