// A waiting pull is a closure and a condition, never a thread. The condition is evaluated here.

/// The condition of a waiting pull.
public struct PullCondition: Sendable {
    /// Answer when the version is greater.
    public var since: Int?
    /// Answer when the step is at least this.
    public var minStep: Int?
    /// The group's index in update order for a pull of one group; pulls of everything come first.
    public var group: Int?

    /// Makes a condition; all parts must be met.
    public init(since: Int? = nil, minStep: Int? = nil, group: Int? = nil) {
        self.since = since
        self.minStep = minStep
        self.group = group
    }

    /// Why a pull can never be answered by a model at `version`; nil if it can, now or later.
    public func refusal(at version: PublishedVersion) -> ServingError? {
        guard let since, since > version.version else { return nil }
        return .cursorUnknown(cursor: "\(Cursor(uid: version.uid, version: since))", newest: "\(version.cursor)")
    }

    /// Whether `version` answers the pull.
    public func isMet(by version: PublishedVersion) -> Bool {
        version.version > (since ?? -1) && version.step >= (minStep ?? 0)
    }
}

/// The result of a wait.
public enum PullResult: Sendable {
    /// A version that meets the condition.
    case version(PublishedVersion)
    /// The model was deleted, the daemon is stopping, or the condition cannot be met.
    case ended(ServingError)
}

/// Identifies a waiting pull, for cancelling it.
public struct WaitToken: Sendable, Hashable {
    let number: Int
}

/// A parked pull.
struct WaitingPull {
    let token: WaitToken
    let condition: PullCondition
    let resume: @Sendable (PullResult) -> Void

    /// The update order of groups; within a group, and for pulls of everything, the order of arrival.
    static func comesBefore(_ one: WaitingPull, _ other: WaitingPull) -> Bool {
        (one.condition.group ?? -1, one.token.number) < (other.condition.group ?? -1, other.token.number)
    }
}
