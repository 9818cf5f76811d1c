// The effects that a model's state machine requests, as values: they can be compared, listed and ignored. `Model`
// executes them in order; a replay of the log drops them.

/// Identifies the request that waits for the outcome of a command.
struct Ticket: Hashable, Sendable {
    let number: UInt64
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
    /// Tell pulls that an update made the parameter non-finite.
    case markDiverged(String)
    /// Deliver the outcome to the holder of the ticket.
    case reply(Ticket, Result<Outcome, ServingError>)
}

extension Outcome {
    /// A stored answer, for a repeated request.
    static func again(_ answer: StoredAnswer, isDurable: Bool) -> Outcome {
        var outcome = Outcome(answer: answer, isRepeated: true)
        if case .receipt(var receipt) = answer {
            receipt.replayed = true
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
