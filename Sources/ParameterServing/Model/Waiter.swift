// The requests that wait for outcomes of commands. One that pushes may wait longer than its command takes: until the
// round of its push is settled.

import Threading

/// The callbacks of a request.
struct Waiter {
    /// Takes the outcome.
    let reply: Model.Reply
    /// Takes the outcome of a push that is held, and the ticket under which its request waits; nil if it does not wait.
    ///
    /// `reply` is called later, unless the request leaves.
    var held: (@Sendable (Outcome, Ticket) -> Void)?
}

/// The requests that wait for a model, and the answers that are sent at the end of a message.
///
/// 1. Each ticket is answered once; one whose push is held stays until its round is settled, if its request waits.
/// 2. After the end of the model, no request waits for a round.
struct Waiters {
    private var lastTicket = Ticket(number: 0)
    private var waiting: [Ticket: Waiter] = [:]
    /// The outcomes of held pushes whose requests wait for their rounds.
    private var held: [Ticket: Outcome] = [:]
    private var answers: [() -> Void] = []
    private var hasEnded = false

    /// Whether a request waits for a round.
    func isWaiting(_ ticket: Ticket) -> Bool { held[ticket] != nil }

    /// Adds a request.
    mutating func add(_ waiter: Waiter) -> Ticket {
        lastTicket = Ticket(number: lastTicket.number + 1)
        waiting[lastTicket] = waiter
        return lastTicket
    }

    /// Answers a request that has no ticket.
    mutating func answer(_ waiter: Waiter, _ result: Result<Outcome, ServingError>) {
        answers.append { waiter.reply(result) }
    }

    /// Answers a request, or tells it that its push is held.
    mutating func reply(_ ticket: Ticket, _ result: Result<Outcome, ServingError>) {
        let waiter = waiting.removeValue(forKey: ticket)
        invariant(waiter != nil, "1: a ticket is answered that no one waits for")
        guard let waiter else { return }
        guard !hasEnded, case .success(let outcome) = result, outcome.isHeld, let told = waiter.held else {
            return answer(waiter, result)
        }
        (waiting[ticket], held[ticket]) = (waiter, outcome)
        answers.append { told(outcome, ticket) }
    }

    /// Answers a request that waits for a round; it may have left, and most never wait.
    ///
    /// If it has sent its push again, its answer says so, like that of any request that is repeated.
    mutating func settle(_ ticket: Ticket, _ result: Result<Outcome, ServingError>) {
        guard let outcome = held.removeValue(forKey: ticket) else { return }
        reply(ticket, outcome.isRepeated ? result.map(\.repeated) : result)
    }

    /// Ends the wait of a request for a round.
    ///
    /// - Parameter round: the open round, for its answer; nil for a request that has left.
    mutating func leave(_ ticket: Ticket, at round: RoundProgress?) {
        guard let outcome = held.removeValue(forKey: ticket), let waiter = waiting.removeValue(forKey: ticket) else {
            return
        }
        if let round { answer(waiter, .success(outcome.told(round))) }
    }

    /// Ends all waits for rounds: pushes of a daemon that stops stay held.
    ///
    /// - Parameter round: the progress of the open round; nil if it ends with the daemon.
    mutating func end(_ reason: ServingError, at round: RoundProgress?) {
        for (ticket, outcome) in held.sorted(by: { $0.key.number < $1.key.number }) {
            guard let waiter = waiting.removeValue(forKey: ticket) else { continue }
            let kept = reason == .stopping ? round : nil
            answer(waiter, kept.map { .success(outcome.told($0)) } ?? .failure(reason))
        }
        (held, hasEnded) = ([:], true)
    }

    /// Takes the answers to be sent now.
    mutating func takeAnswers() -> [() -> Void] {
        defer { answers.removeAll(keepingCapacity: true) }
        return answers
    }
}

extension Outcome {
    /// Whether it is a push that waits in a round.
    var isHeld: Bool {
        if case .receipt(let receipt) = answer { receipt.isHeld } else { false }
    }

    /// The outcome with what the open round is at the time of the answer, if it is a push that waits in it.
    func told(_ round: RoundProgress) -> Outcome {
        guard case .receipt(let receipt) = answer else { return self }
        return Outcome(answer: .receipt(receipt.told(round)), isRepeated: isRepeated)
    }

    /// The outcome as that of a request that was sent again.
    var repeated: Outcome {
        guard case .receipt(var receipt) = answer else { return Outcome(answer: answer, isRepeated: true) }
        receipt.replayed = true
        return Outcome(answer: .receipt(receipt), isRepeated: true)
    }
}

extension Outcome {
    /// The outcome with the time that the round of its push had, if it was dropped at its deadline.
    func dropped(after time: Duration?) -> Outcome {
        guard case .receipt(var receipt) = answer, receipt.round?.state == .dropped(.timeout) else { return self }
        receipt.round?.waited = time
        return Outcome(answer: .receipt(receipt), isRepeated: isRepeated)
    }
}

extension Receipt {
    /// Whether its push waits in a round.
    var isHeld: Bool { round?.state == .held }

    /// The receipt with what the open round is at the time of the answer, if its push waits in it.
    func told(_ progress: RoundProgress) -> Receipt {
        guard isHeld else { return self }
        var receipt = closing(in: progress.closesIn)
        receipt.round?.received = progress.received
        receipt.round?.needed = progress.needed
        return receipt
    }

    /// The receipt with the time that the round of a held push has left.
    func closing(in time: Duration?) -> Receipt {
        guard isHeld else { return self }
        var receipt = self
        receipt.round?.closesIn = time
        return receipt
    }
}
