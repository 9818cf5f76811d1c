// What makes a repeated push recognisable: the worker's counter, or a token that a client chose.

import Names

/// The identity of a push, for exactly-once application.
public enum PushKey: Sendable, Hashable {
    /// A worker's own count within one registration; `seq` starts at 1, `epoch` is 0 for a worker that never registered.
    case sequence(worker: Name, epoch: Int, seq: Int)
    /// An `Idempotency-Key`.
    case token(Name)

    /// How the key is named in messages.
    var text: String {
        switch self {
        case .sequence(let worker, let epoch, let seq): "\(worker)/\(epoch)/\(seq)"
        case .token(let token): token.text
        }
    }
}

/// 128 bits that two pushes share only when they carry the same decoded gradients.
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
