// What a model's state machine wants done outside, as values: they can be compared, listed and left undone. `Model`
// carries them out in the order in which they come; who reads a log again drops them.

/// Stands for whoever waits for the outcome of a command.
struct Ticket: Hashable, Sendable {
    let number: UInt64
}

/// What a command came to.
struct Outcome: Sendable, Equatable {
    var answer: StoredAnswer
    /// Whether an earlier request, or an earlier push of the same number, was given the answer first.
    var isRepeated = false
}

/// What is to be done after a command has been applied.
enum Effect: Equatable {
    /// Let pulls see the state.
    case publish
    /// Let pulls see that an update made the parameter non-finite.
    case markDiverged(String)
    /// Give the outcome to whoever has the ticket.
    case reply(Ticket, Result<Outcome, ServingError>)
}

extension Outcome {
    /// An answer that was given before, to a request that asks again.
    static func again(_ answer: StoredAnswer, isDurable: Bool) -> Outcome {
        var outcome = Outcome(answer: answer, isRepeated: true)
        if case .receipt(var receipt) = answer {
            receipt.replayed = true
            receipt.durable = isDurable
            outcome.answer = .receipt(receipt)
        }
        return outcome
    }

    /// The same, with what only the moment tells of a push.
    func noting(isDurable: Bool, woken: Int) -> Outcome {
        guard case .receipt(var receipt) = answer else { return self }
        receipt.durable = isDurable
        receipt.woken = woken
        return Outcome(answer: .receipt(receipt), isRepeated: isRepeated)
    }
}
