// What a receipt says about the round of its push.

/// The round of a push.
public struct RoundReceipt: Sendable, Equatable {
    /// The state of the push.
    public enum State: Sendable, Equatable {
        /// It waits in the open round.
        case held
        /// The round is an update.
        case closed
        /// The round was dropped, and with it the gradient.
        case dropped(DropReason)
    }

    /// The state of the push.
    public var state: State
    /// The step that the round makes, or would have made.
    public var step: Int
    /// The number of pushes in the round: so far, or when it was settled.
    public var received: Int
    /// The number with which it closes at once; nil if only a request closes it.
    ///
    /// Of a round that was dropped at its deadline, the number that would have been enough; nil in receipts of earlier
    /// releases.
    public var needed: Int?
    /// The time until the deadline of the open round; known only at the time of the answer.
    public var closesIn: Duration?
    /// The time from the first push of the round to the deadline at which it was dropped; known only to the requests
    /// that waited for it.
    public var waited: Duration?
}

/// What changes about an open round while its pushes wait.
struct RoundProgress: Sendable, Equatable {
    /// The number of pushes that it holds.
    var received: Int
    /// The number with which it closes at once; nil if only a request closes it.
    var needed: Int?
    /// The time until its deadline; nil if it has none.
    var closesIn: Duration?
}

/// Why a round was dropped.
public enum DropReason: UInt8, Sendable, Equatable {
    /// At its deadline it had fewer pushes than its quorum.
    case timeout = 1
    /// An earlier state was restored.
    case restored = 2
    /// Its update was refused; images of earlier releases do not say why.
    case refused = 3
    /// Its update would have made a parameter or a slot non-finite.
    case diverged = 4
    /// Its gradients overflowed, as all of many before, at the smallest loss scale.
    case overflow = 5

    /// The reason of a round whose update was refused.
    init(_ refusal: ServingError) {
        switch refusal {
        case .diverged: self = .diverged
        case .lossScaleStuck: self = .overflow
        default: self = .refused
        }
    }
}
