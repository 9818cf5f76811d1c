// What each logged command does to a model.

extension ModelState {
    mutating func carryOut(
        _ command: Command, for ticket: Ticket?, under key: RequestKey? = nil
    ) throws(ServingError) -> StoredAnswer {
        if command.writesValues { areModest = nil }
        switch command {
        case .push(let push): return .receipt(try apply(push, under: key, for: ticket))
        case .closeRound(let closing): return try carryOut(closing)
        case .importValues(let values, let present, let ifVersion):
            try check(ifVersion)
            importing(values, present: present)
            announce(.imported(step: optimizer.step, version: version))
        case .restore(let restoration):
            try restoring(restoration)
            announce(.restored(step: optimizer.step, version: version, checkpoint: restoration.checkpoint))
        case .register(let registration, let sighting):
            return register(registration, seen: sighting)
        case .endLeases(let ended):
            end(ended)
            return .deleted
        case .dismiss(let worker):
            try ledger.checkKnown(worker)
            forget(worker, because: .deleted)
            return .deleted
        case .note(let answer): return answer
        case .report(let report): return record(report)
        case .keyed(let key, _, let command): return try apply(command, under: key, for: ticket)
        case .admitted(.note(.saved(let facts)), _):
            // The notes of earlier releases have no time, and their checkpoints had no numbers among the events.
            announce(.checkpoint(facts))
            return .saved(facts)
        case .admitted(let command, _): return try carryOut(command, for: ticket, under: key)
        case .reconfigure(let patch, let ifVersion): try reconfigure(with: patch, ifVersion: ifVersion)
        case .grow(let growth, let ifVersion): try grow(by: growth, ifVersion: ifVersion)
        }
        return .changed(step: optimizer.step, version: version)
    }

    /// A refused command releases its key.
    private mutating func apply(
        _ command: Command, under key: RequestKey, for ticket: Ticket?
    ) throws(ServingError) -> StoredAnswer {
        keys.abandon(key)
        let answer = try carryOut(command, for: ticket, under: key)
        keys.finish(key, answer)
        return answer
    }

    private mutating func record(_ report: Report) -> StoredAnswer {
        let step = min(report.step ?? optimizer.step, optimizer.step)
        trainingHistory.add(report.scalars, step: step, time: report.sighting?.time ?? 0)
        return .changed(step: step, version: version)
    }
}
