// Changes of a model for callers of this module: each knows the type of its answer. Stored answers are converted to
// those types only here.

import Names
import Threading

/// A change of one model, answered with an `Answer`.
public struct Change<Answer: ChangeAnswer>: Sendable {
    let command: Command

    /// The change under the key of its request, if there is one; with versions, only if the model is at one of them.
    public func under(_ key: RequestKey?, ifVersion: [Int]? = nil) -> Change {
        Change(command: command.under(key, ifVersion: ifVersion))
    }
}

extension Change where Answer == Receipt {
    /// Applies gradients.
    public static func push(_ push: Push) -> Change { Change(command: .push(push)) }

    /// Closes the open round.
    public static func step() -> Change { Change(command: .closeRound(RoundClosing(action: .update))) }
}

extension Change where Answer == ChangedVersion {
    /// Replaces the values of the parameters marked in `present`; with versions, only if the model is at one of them.
    public static func importValues(_ values: Arena, present: [Bool], ifVersion: [Int]? = nil) -> Change {
        Change(command: .importValues(values, present: present, ifVersion: ifVersion))
    }

    /// Merges a patch into the settings; with versions, only if the model is at one of them.
    public static func reconfigure(_ patch: SettingsPatch, ifVersion: [Int]?) -> Change {
        Change(command: .reconfigure(patch, ifVersion: ifVersion))
    }

    /// Adds parameters and rows; with versions, only if the model is at one of them.
    public static func grow(_ growth: Growth, ifVersion: [Int]?) -> Change {
        Change(command: .grow(growth, ifVersion: ifVersion))
    }

    /// Records reported metrics; the answer has their step and the current version.
    public static func report(_ report: Report) -> Change { Change(command: .report(report)) }

    static func restore(_ restoration: Restoration) -> Change { Change(command: .restore(restoration)) }
}

extension Change where Answer == WorkerFacts {
    /// Starts a new epoch of a worker.
    ///
    /// - Parameters:
    ///   - worker: its name.
    ///   - ttl: the time after which the registration ends unless its worker renews it; nil for one without a lease.
    public static func register(worker: Name, ttl: Duration? = nil) -> Change {
        Change(command: .register(Registration(worker: worker, ttl: ttl.map { Int($0.nanoseconds / 1_000_000) })))
    }
}

extension Change where Answer == Removal {
    /// Deletes a worker's receipts, as its expiry would.
    public static func dismiss(worker: Name) -> Change { Change(command: .dismiss(worker: worker)) }
}

// MARK: Answers

/// The result of a change.
public struct Answered<Answer: ChangeAnswer>: Sendable {
    /// The answer.
    public let answer: Answer
    /// Whether it was first given to an earlier request.
    public let isRepeated: Bool
}

/// A type of answer.
public protocol ChangeAnswer: Sendable {
    /// Extracts the answer from its stored form; nil if it is of another type.
    init?(_ kept: StoredAnswer)
}

extension Receipt: ChangeAnswer {
    /// The receipt of a push.
    public init?(_ kept: StoredAnswer) {
        guard case .receipt(let receipt) = kept else { return nil }
        self = receipt
    }
}

/// The version that a change made or found.
public struct ChangedVersion: ChangeAnswer, Equatable {
    /// Its step.
    public let step: Int
    /// Its number.
    public let version: Int

    /// The version of an import, a patch or a restore.
    public init?(_ kept: StoredAnswer) {
        guard case .changed(let step, let version) = kept else { return nil }
        (self.step, self.version) = (step, version)
    }
}

extension WorkerFacts: ChangeAnswer {
    /// A worker's new epoch, and the last number of the previous one.
    public init?(_ kept: StoredAnswer) {
        guard case .registered(let epoch, let lastSeq) = kept else { return nil }
        self.init(epoch: epoch, lastSeq: lastSeq)
    }
}

extension CheckpointFacts: ChangeAnswer {
    /// The checkpoint that was saved or deleted.
    public init?(_ kept: StoredAnswer) {
        switch kept {
        case .saved(let facts), .removed(let facts): self = facts
        case .receipt, .changed, .registered, .created, .deleted: return nil
        }
    }
}

/// A removal, which has no further content.
public struct Removal: ChangeAnswer, Equatable {
    init() {}

    /// The removal of a worker or a model.
    public init?(_ kept: StoredAnswer) {
        guard case .deleted = kept else { return nil }
    }
}

extension Answered {
    /// The outcome in the type that its request expects; `keyReused` if the key has another type of answer.
    static func result(_ outcome: Outcome, under key: RequestKey?) -> Result<Answered, ServingError> {
        guard let answer = Answer(outcome.answer) else { return .failure(.keyReused(key: key?.text.text ?? "")) }
        return .success(Answered(answer: answer, isRepeated: outcome.isRepeated))
    }
}
