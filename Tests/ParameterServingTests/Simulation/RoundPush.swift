// What the clients of a history of rounds know of a push and of a request.

import Names
import Optimizers

@testable import ParameterServing

/// A push of a worker, as its client knows it.
struct RoundPush {
    /// Its worker and its number, from 0.
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

    var state = State.sent
    /// The step whose version was the first to count it; nil if no reader saw that version.
    var step: Int?
}

/// A request, however many times it is sent.
final class RoundRequest: @unchecked Sendable {
    enum Kind {
        case create
        case push(RoundPush.Place)
        case close
        case patch(SettingValue)
    }

    let kind: Kind
    let key: RequestKey
    /// The number of the daemon's life in which it was last sent.
    var life = 0

    init(_ kind: Kind, number: Int) {
        self.kind = kind
        key = RequestKey(text: Name("round-\(number)"), target: nil, time: 1_000_000_000)
    }

    /// The worker that pushes; nil for any other request.
    var worker: Int? { if case .push(let place) = kind { place.worker } else { nil } }

    /// Whether it closes the open round.
    var isClosing: Bool { if case .close = kind { true } else { false } }
}
