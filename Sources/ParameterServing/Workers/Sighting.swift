// The moment at which a model heard of a worker, and who made room for it. Both are part of the logged command, so that a
// replay of the log knows as much of age as the first run did, whatever its clock and its limits are.

import Names

/// When a command was admitted.
public struct Sighting: Sendable, Equatable {
    /// Seconds since 1970.
    public var time: Int
    /// The worker whose receipts go, because the command's own is one too many.
    public var expires: Name?
}
