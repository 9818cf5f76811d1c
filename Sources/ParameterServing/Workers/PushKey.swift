// The identity of a worker's push: its own counter. Any request may have a `RequestKey` instead.

import Names

/// The identity of a worker's push, for exactly-once application.
public struct PushKey: Sendable, Hashable {
    /// The worker.
    public var worker: Name
    /// The registration of the number; 0 for a worker that never registered.
    public var epoch: Int
    /// The worker's count within the registration, from 1.
    public var seq: Int

    /// Makes a key from its parts.
    public static func sequence(worker: Name, epoch: Int, seq: Int) -> PushKey {
        PushKey(worker: worker, epoch: epoch, seq: seq)
    }
}
