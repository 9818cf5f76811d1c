// What makes a repeated push of a worker recognisable: its own counter. Any request may have a `RequestKey` instead.

import Names

/// The identity of a worker's push, for exactly-once application.
public struct PushKey: Sendable, Hashable {
    /// Who pushes.
    public var worker: Name
    /// The registration that the number belongs to; 0 for a worker that never registered.
    public var epoch: Int
    /// The worker's own count within the registration, from 1.
    public var seq: Int

    /// Makes a key of its parts.
    public static func sequence(worker: Name, epoch: Int, seq: Int) -> PushKey {
        PushKey(worker: worker, epoch: epoch, seq: seq)
    }

    /// How the key is named in messages.
    var text: String { "\(worker)/\(epoch)/\(seq)" }
}

/// 128 bits that two bodies share only when they mean the same.
public struct Fingerprint: Sendable, Hashable {
    /// The first eight bytes.
    public var high: UInt64
    /// The last eight bytes.
    public var low: UInt64

    /// Makes a fingerprint of its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
