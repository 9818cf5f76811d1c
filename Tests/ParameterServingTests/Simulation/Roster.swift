// The registrations of a model as its events tell them, so that the table of workers, the rounds and the leases can be
// judged without the daemon's own account.

import Names

@testable import ParameterServing

/// Who is registered.
struct Roster {
    /// What readers of the events learn.
    enum News {
        /// A worker has left, and the registration that it had.
        case left(worker: Int, epoch: Int?)
        /// A worker has registered in place of its earlier registration.
        case replaced(worker: Int, epoch: Int)
        /// A round has ended; whether because a worker has left for which it waited.
        case round(SettledRound.Reason, isByDeparture: Bool)
        /// The events contradict each other.
        case problem(String)
    }

    private static let kinds: Set<ModelEvent.Kind> = [.workerJoined, .workerLeft, .round]

    private var place: EventID?
    /// By worker, its registration; nil as long as it is not known.
    private(set) var epochs: [Int: Int]?
    /// By the version that a complete round made, who was registered then.
    private(set) var members: [Int: [Int]] = [:]
    private var lastEpoch = 0
    private var lastDeparture: EventID?

    /// The worker of a name.
    static func worker(named name: Name) -> Int? { (0..<RoundStory.workers).first { self.name(of: $0) == name } }

    /// The name of a worker.
    static func name(of worker: Int) -> Name { Name("worker\(worker)") }

    /// Takes the registrations of a table of workers that was read just now.
    mutating func adopt(_ epochs: [Int: Int], _ feed: EventFeed) {
        (self.epochs, place) = (epochs, feed.newest)
    }

    /// Forgets everything: another daemon may have lost some of it.
    mutating func forget() { self = Roster() }

    /// Reads the events since the last call.
    mutating func read(_ feed: EventFeed) -> [News] {
        guard let place else { return [] }
        do throws(ServingError) { try feed.check(place, of: feed.uid, for: Self.kinds) } catch {
            (self.place, epochs) = (nil, nil)
            return []
        }
        switch feed.read(after: place, of: Self.kinds, atMost: .max, orElse: {}) {
        case .waits(let token):
            feed.cancel(token)
            return []
        case .ended: return []
        case .missed:
            (self.place, epochs) = (nil, nil)
            return []
        case .events(let events): return events.compactMap { take($0) }
        }
    }

    private mutating func take(_ event: FeedEvent) -> News? {
        place = event.id
        switch event.event {
        case .workerJoined(let name, let epoch):
            guard epoch > 0, let worker = Self.worker(named: name) else { return nil }
            return join(worker, epoch)
        case .workerLeft(let name, let epoch, _):
            lastDeparture = event.id
            guard let worker = Self.worker(named: name) else { return nil }
            let known = epochs?.removeValue(forKey: worker)
            if let known, known != epoch { return .problem("worker \(worker) left epoch \(epoch), not \(known)") }
            return .left(worker: worker, epoch: known)
        case .round(let round): return take(round, event.id)
        default: return nil
        }
    }

    private mutating func join(_ worker: Int, _ epoch: Int) -> News? {
        defer { lastEpoch = max(epoch, lastEpoch) }
        let before = epochs?.updateValue(epoch, forKey: worker)
        if epoch <= lastEpoch { return .problem("worker \(worker) was given epoch \(epoch) after \(lastEpoch)") }
        return before.map { .replaced(worker: worker, epoch: $0) }
    }

    private mutating func take(_ round: SettledRound, _ id: EventID) -> News? {
        if round.reason == .full, let version = round.version { members[version] = epochs?.keys.sorted() }
        // The departure is followed by the update, and that by the round.
        return .round(round.reason, isByDeparture: lastDeparture?.number == id.number - 2)
    }
}
