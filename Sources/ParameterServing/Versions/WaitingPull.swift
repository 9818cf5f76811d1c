// A pull that waits is a closure and a condition, never a thread. What it waits for is decided here, so that
// publishing can ask each one in a line.

/// What a pull waits for.
public struct PullCondition: Sendable {
    /// Answer when the version is greater.
    public var since: Int?
    /// Answer when the step is at least this.
    public var minStep: Int?
    /// The group's place in update order for a pull of one group; pulls of everything come first.
    public var group: Int?

    /// Makes a condition; all parts must hold.
    public init(since: Int? = nil, minStep: Int? = nil, group: Int? = nil) {
        self.since = since
        self.minStep = minStep
        self.group = group
    }

    /// Why a pull cannot be answered by a model that is at `version`; nil where it can, now or later.
    public func refusal(at version: PublishedVersion) -> ServingError? {
        guard let since, since > version.version else { return nil }
        return .cursorUnknown(cursor: "\(Cursor(uid: version.uid, version: since))", newest: "\(version.cursor)")
    }

    /// Whether `version` answers the pull.
    public func isMet(by version: PublishedVersion) -> Bool {
        version.version > (since ?? -1) && version.step >= (minStep ?? 0)
    }
}

/// How a wait ended.
public enum PullResult: Sendable {
    /// A version that meets the condition.
    case version(PublishedVersion)
    /// The model was deleted, the daemon is stopping, or what the pull waits for cannot come.
    case ended(ServingError)
}

/// Names a waiting pull, to be able to take it back.
public struct WaitToken: Sendable, Hashable {
    let number: Int
}

/// A parked pull.
struct WaitingPull {
    let token: WaitToken
    let condition: PullCondition
    let resume: @Sendable (PullResult) -> Void
}
