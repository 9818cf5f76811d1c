// A push in a history of rounds, as its client knows it.

/// A push of a worker.
struct RoundPush {
    /// Its worker and its number among the worker's pushes, from 0: its element of the parameters.
    struct Place: Equatable, CustomStringConvertible {
        var worker: Int
        var index: Int
        var description: String { "push \(index + 1) of worker \(worker)" }
    }

    enum State: Equatable {
        /// Without an answer.
        case sent
        /// Acknowledged: it is in the open round.
        case held
        /// In this step.
        case applied(Int)
        case dropped
        case refused
        /// A power cut may have lost it.
        case unknown
    }

    /// The registration that it belongs to; 0 before the first.
    let epoch: Int
    /// Its number in that registration.
    let seq: Int
    /// Whether it was first sent after the end of the registration.
    var isLate = false
    var state = State.sent
    /// The step whose version was the first to count it; nil if no reader saw that version.
    var step: Int?
    /// The skipped numbers before it, as its receipt says.
    var gap: Int?
}
