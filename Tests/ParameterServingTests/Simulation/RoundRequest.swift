// A request of a client in a history of rounds, and its outcomes.

import Names
import Optimizers

@testable import ParameterServing

/// A request, however many times it is sent.
final class RoundRequest: @unchecked Sendable {
    enum Kind {
        case create
        case push(RoundPush.Place)
        case close
        case patch(SettingValue)
        /// A registration, with a lease of so many seconds.
        case register(worker: Int, ttl: Int?)
        case heartbeat(worker: Int)
        case dismiss(worker: Int)
        /// An arrival at a generation of the barrier.
        case arrive(worker: Int, generation: Int)
    }

    enum Answer {
        case receipt(Receipt)
        case registered(epoch: Int, isRepeated: Bool)
        /// The state of the barrier.
        case barrier(BarrierFacts)
        /// Anything else.
        case done
    }

    /// The means to stop waiting for others.
    enum Wait {
        case round(RoundWait)
        case barrier(BarrierWait)
    }

    let kind: Kind
    let key: RequestKey
    /// The registration in which its worker sends it.
    let epoch: Int
    /// Whether it waits for its round, or for the others at the barrier.
    let isPatient: Bool
    /// The number of the daemon's life in which it was last sent.
    var life = 0
    /// The time at which it was last sent.
    var sent: UInt64 = 0
    /// The number of answers in that life.
    var answers = 0
    /// Set while it waits.
    var wait: Wait?

    init(_ kind: Kind, number: Int, epoch: Int, isPatient: Bool) {
        (self.kind, self.epoch, self.isPatient) = (kind, epoch, isPatient)
        key = RequestKey(text: Name("round-\(number)"), target: nil, time: 1_000_000_000)
    }
}

extension RoundRequest.Kind {
    /// The worker that sends it, or that it is about.
    var worker: Int? {
        switch self {
        case .push(let place): place.worker
        case .register(let worker, _), .heartbeat(let worker), .dismiss(let worker), .arrive(let worker, _): worker
        case .create, .close, .patch: nil
        }
    }

    /// Whether it closes the open round.
    var isClosing: Bool { if case .close = self { true } else { false } }

    private var isHeartbeat: Bool { if case .heartbeat = self { true } else { false } }

    /// Whether it changes whether its worker is registered.
    var isOfMembership: Bool {
        switch self {
        case .register, .dismiss: true
        case .create, .push, .close, .patch, .heartbeat, .arrive: false
        }
    }

    /// Whether its client does not send it while the other is open: a worker does one thing at a time, and sends
    /// heartbeats meanwhile.
    func excludes(_ other: Self) -> Bool {
        switch (self, other) {
        case (.create, _), (_, .create), (.close, .close), (.patch, .patch): return true
        default: break
        }
        guard let worker, worker == other.worker else { return false }
        if isHeartbeat == other.isHeartbeat { return true }
        return isOfMembership || other.isOfMembership
    }
}

extension Result<RoundRequest.Answer, ServingError> {
    /// Whether its worker was certainly registered: a stored receipt can be read even after that.
    var isAccepted: Bool {
        switch self {
        case .success(.receipt(let receipt)): !receipt.replayed
        case .success: true
        case .failure: false
        }
    }
}
