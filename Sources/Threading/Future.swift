// For callers that cannot go on without what a callback brings: starts, salvages, the keeper of snapshots. Whatever serves
// requests hands over a callback instead.

/// A value that one thread gives and another waits for.
public final class Future<Value: Sendable>: Sendable {
    private let value = Locked<Value?>(nil)
    private let isGiven = Condition()

    /// Makes a future that holds nothing yet.
    public init() {}

    /// Gives the value to whoever waits for it.
    public func fulfil(_ value: Value) {
        self.value.withLock { $0 = value }
        isGiven.broadcast()
    }

    /// Waits for the value.
    public func wait() -> Value { value.wait(for: isGiven) { $0 } }

    /// The value; nil where none has been given yet.
    public var current: Value? { value.withLock { $0 } }
}
