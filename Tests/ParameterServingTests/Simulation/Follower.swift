// A follower of a model's events in a history: the ids rise, every round and every patch has one event, and a reader
// that comes back gets exactly the events after its last one.

@testable import ParameterServing
@testable import Threading

/// A client that reads the events of a model.
struct Follower {
    private static let kinds = Set(ModelEvent.Kind.allCases)
    /// Kinds of which no event replaces an earlier one.
    private static let lasting = kinds.subtracting([.update])

    /// The place of the last event; nil before the first read.
    private(set) var last: EventID?
    private var uid: ModelUID?
    /// Whether it sleeps until the feed wakes it.
    private var sleeps = Locked(false)
    /// Its events other than updates, since it last had to skip some.
    private(set) var seen: [FeedEvent] = []
    /// Versions whose event it has not seen, with the pushes of their round; 0 for a patch.
    private var expected: [Int: Int] = [:]
    /// Versions of the rounds and patches that it has seen.
    private var versions: Set<Int> = []
    private var lastVersion = 0
    private var lastRound: Int?
    /// Whether rounds may wait for fewer workers than there are, because some are not registered.
    private var mayBeSmall = true
    /// The pushes of the rounds that were dropped.
    private(set) var dropped = 0
    /// Whether it has every event since it started.
    private(set) var isComplete = true

    /// Reads the next events, unless it sleeps; returns what is wrong with them.
    mutating func read(_ feed: EventFeed) -> String? {
        guard let place = last, feed.uid == uid else {
            start(feed)
            return nil
        }
        guard !sleeps.withLock({ $0 }) else { return nil }
        sleeps.withLock { $0 = true }
        let wake = { @Sendable [sleeps] in sleeps.withLock { $0 = false } }
        switch feed.read(after: place, of: Self.kinds, atMost: 3, orElse: wake) {
        case .waits, .ended: return nil
        case .missed(let floor): skip(to: floor)
        case .events(let events):
            wake()
            for event in events { if let problem = take(event) { return problem } }
        }
        return nil
    }

    /// Follows a feed from now on.
    mutating func start(_ feed: EventFeed) {
        self = Follower()
        (uid, last) = (feed.uid, feed.newest)
    }

    /// Continues at a place, without the events before it.
    private mutating func skip(to place: EventID) {
        (last, seen, expected, lastRound, mayBeSmall, isComplete) = (place, [], [:], nil, true, false)
        sleeps.withLock { $0 = false }
    }

    /// Requires the event of a version.
    ///
    /// - Parameter pushes: the number of pushes in its round; 0 for a patch.
    mutating func expect(_ version: Int, pushes: Int) {
        if !versions.contains(version) { expected[version] = pushes }
    }

    // MARK: Events

    private mutating func take(_ event: FeedEvent) -> String? {
        guard let place = last, event.id > place else { return "event \(event.id.number) came again" }
        last = event.id
        if event.event.kind != .update { seen.append(event) }
        switch event.event {
        case .update(_, let version, _):
            defer { lastVersion = version }
            return version > lastVersion ? nil : "the update of version \(version) came after version \(lastVersion)"
        case .patch(let settings):
            let change = settings.changes.first { $0.path == "/consistency/workers" }
            if let change { mayBeSmall = change.new == "registered" }
            return take(settings.version, pushes: 0)
        case .round(let round): return take(round)
        default: return nil
        }
    }

    private mutating func take(_ round: SettledRound) -> String? {
        defer { lastRound = round.number }
        if let lastRound, round.number != lastRound + 1 { return "round \(round.number) came after \(lastRound)" }
        switch (round.outcome, round.reason) {
        case (.applied, .full) where round.pushes >= (mayBeSmall ? 1 : RoundStory.workers): break
        case (.applied, .quorum) where round.pushes >= RoundStory.quorum: break
        case (.applied, .step), (.applied, .mode): break
        case (.dropped, .deadline) where round.pushes < RoundStory.quorum: dropped += round.pushes
        default: return "round \(round.number) of \(round.pushes) was \(round.outcome) because of \(round.reason)"
        }
        return round.version.flatMap { take($0, pushes: round.pushes) }
    }

    /// Takes the one event of a version that a round or a patch made.
    private mutating func take(_ version: Int, pushes: Int) -> String? {
        defer { lastVersion = version }
        if !versions.insert(version).inserted { return "version \(version) has two events" }
        if version < lastVersion { return "the event of version \(version) came after version \(lastVersion)" }
        if let wanted = expected.removeValue(forKey: version), wanted != pushes {
            return "the event of version \(version) says \(pushes) pushes, not \(wanted)"
        }
        return nil
    }

    // MARK: Resumption

    /// Connects to the feed of a daemon that has started again.
    mutating func resume(_ feed: EventFeed) -> String? {
        sleeps = Locked(false)
        guard let place = last, feed.uid == uid else {
            start(feed)
            return nil
        }
        do throws(ServingError) {
            try feed.check(place, of: feed.uid, for: Self.kinds)
        } catch .eventsTooOld {
            skip(to: feed.newest)
        } catch {
            return "the events after \(place.number) are refused: \(error)"
        }
        return nil
    }

    /// Compares the events after one of its own, as a reader gets them that comes back with that id, with its own.
    ///
    /// - Returns: whether the reader may continue there, and what is wrong.
    func compare(with feed: EventFeed, from index: Int) -> (isAccepted: Bool, problem: String?) {
        guard let last, seen.indices.contains(index), feed.uid == uid else { return (false, nil) }
        let place = seen[index].id
        do throws(ServingError) {
            try feed.check(place, of: feed.uid, for: Self.kinds)
        } catch .eventsTooOld {
            return (false, nil)
        } catch {
            return (false, "the events after \(place.number) are refused: \(error)")
        }
        var events: [FeedEvent] = []
        switch feed.read(after: place, of: Self.lasting, atMost: .max, orElse: {}) {
        case .events(let found): events = found.filter { $0.id <= last }
        case .waits(let token): feed.cancel(token)
        case .missed, .ended: return (true, "there are no events after \(place.number), which was accepted")
        }
        let isSame = events.elementsEqual(seen[(index + 1)...]) { $0.id == $1.id && $0.event == $1.event }
        return (true, isSame ? nil : "the events after \(place.number) differ when they are read again")
    }

    /// What it lacks although nothing more happens; nil if it has everything.
    func lag(behind feed: EventFeed) -> String? {
        if let place = last, place < feed.newest {
            return "the follower sleeps at event \(place.number), and the newest is \(feed.newest.number)"
        }
        return expected.isEmpty ? nil : "there was no event of the versions \(expected.keys.sorted())"
    }
}
