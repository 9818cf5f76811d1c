// Blocks a thread until a callback delivers a value: for starts, salvages and the keeper of snapshots. Threads that
// serve requests pass a callback instead.

/// A value that one thread sets and another waits for.
public final class Future<Value: Sendable>: Sendable {
    private let value = Locked<Value?>(nil)
    private let isGiven = Condition()

    /// Makes a future without a value.
    public init() {}

    /// Sets the value and wakes the waiting thread.
    public func fulfil(_ value: Value) {
        self.value.withLock { $0 = value }
        isGiven.broadcast()
    }

    /// Waits for the value.
    public func wait() -> Value { value.wait(for: isGiven) { $0 } }

    /// The value; nil if it is not set yet.
    public var current: Value? { value.withLock { $0 } }
}
