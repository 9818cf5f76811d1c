// When a model last heard of a worker, and which worker was replaced. Both are part of the logged command, so that a
// replay of the log has the same ages as the first run, regardless of its clock and limits.

import Names

/// When a command was admitted.
public struct Sighting: Sendable, Equatable {
    /// Seconds since 1970.
    public var time: Int
    /// The worker whose receipts are dropped because the limit is reached.
    public var expires: Name?
}
