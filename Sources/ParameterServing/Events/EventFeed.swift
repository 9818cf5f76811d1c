// The events of a model, or of all models, and the readers that wait for the next one. Like `Publication`, one short
// lock; a reader is a place and a closure, never a thread or a queue of its own, so that a slow one costs nothing.

import Threading

/// The result of a read of a feed.
public enum EventRead: Sendable {
    /// The next events, at least one, oldest first.
    case events([FeedEvent])
    /// Events after the reader's place are no longer available; the oldest place to continue from.
    case missed(EventID)
    /// There is nothing yet; the reader will be woken, unless it cancels.
    case waits(WaitToken)
    /// No event follows; why.
    case ended(ServingError)
}

/// A stream of events.
///
/// 1. A reader that waits is woken once, by the first event of a kind that it wants or by the end of the feed.
public final class EventFeed: Sendable {
    private struct Reader {
        let kinds: Set<ModelEvent.Kind>
        let wake: @Sendable () -> Void
    }

    private struct State {
        var ring: EventRing
        var kept: KeptMemory
        var waiting: [Int: Reader] = [:]
        var nextToken = 0
        var end: ServingError?
    }

    /// Names the feed in places: the model's uid, or a random number for all models.
    public let uid: ModelUID
    private let state: Locked<State>
    /// The feed of all models, which gets every event too.
    private let all: EventFeed?

    /// Makes the feed of a model that continues a ring.
    init(_ uid: ModelUID, _ ring: EventRing, in all: EventFeed?, _ budget: MemoryBudget) {
        self.uid = uid
        self.all = all
        state = Locked(State(ring: ring, kept: KeptMemory(budget)))
    }

    /// The place of the last event.
    public var newest: EventID { state.withLock { $0.ring.newest } }

    /// The counted part of its memory.
    var keptBytes: Int { state.withLock { $0.kept.bytes } }

    /// Adds an event of a model.
    ///
    /// - Parameters:
    ///   - event: what happened.
    ///   - model: the model's name.
    ///   - uid: the model's uid.
    ///   - number: its number in the feed, as counted by the model's state; nil for the next one.
    ///   - time: when it happened, in seconds since 1970; nil if its record does not say.
    ///   - end: why no event follows, if this is the last: no other thread can add one in between.
    func add(
        _ event: ModelEvent, of model: String, _ uid: ModelUID, at number: Int? = nil, time: Int?,
        endingWith end: ServingError? = nil
    ) {
        let woken: [Reader]? = state.withLock { state in
            guard state.end == nil else { return nil }
            let id = EventID(number: number ?? state.ring.newest.number + 1)
            state.ring.add(FeedEvent(id: id, model: model, uid: uid, time: time, event: event))
            state.kept.follow(state.ring.bytes)
            state.end = end
            return Self.takeReaders(of: event.kind, from: &state)
        }
        guard let woken else { return }
        for reader in woken { reader.wake() }
        all?.add(event, of: model, uid, time: time)
    }

    private static func takeReaders(of kind: ModelEvent.Kind, from state: inout State) -> [Reader] {
        if state.waiting.isEmpty { return [] }
        let woken = state.waiting.filter { state.end != nil || $0.value.kinds.contains(kind) }
        for token in woken.keys { state.waiting[token] = nil }
        return woken.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Ends the feed; readers still get what was added before.
    func end(_ reason: ServingError) {
        let woken = state.withLock { state in
            state.end = state.end ?? reason
            defer { state.waiting = [:] }
            return state.waiting.sorted { $0.key < $1.key }.map(\.value)
        }
        for reader in woken { reader.wake() }
    }

    /// Releases the memory of a feed that has ended.
    func letGo() { state.withLock { $0.kept.follow(0) } }

    /// Whether a reader of these kinds can continue from a place of the feed `other`.
    ///
    /// - Throws: `eventsTooOld`, also for the feed of all models of an earlier daemon; `eventUnknown` for a place of
    ///   another model, or one that has not been reached.
    public func check(
        _ id: EventID, of other: ModelUID, for kinds: Set<ModelEvent.Kind>
    ) throws(ServingError) {
        let (floor, newest) = state.withLock { ($0.ring.floor(of: kinds), $0.ring.newest) }
        let isEarlier = other != uid && all == nil
        if isEarlier || other == uid && id < floor {
            throw .eventsTooOld(id: id.text(in: other), oldest: floor.text(in: uid))
        }
        if other != uid || id > newest {
            throw .eventUnknown(id: id.text(in: other), newest: newest.text(in: uid))
        }
    }

    /// The next events after a place.
    ///
    /// - Parameters:
    ///   - id: the place of the last event that the reader has.
    ///   - kinds: the kinds that it wants.
    ///   - most: the most events at a time.
    ///   - wake: called once when there is more, if the result is `waits`.
    public func read(
        after id: EventID, of kinds: Set<ModelEvent.Kind>, atMost most: Int, orElse wake: @escaping @Sendable () -> Void
    ) -> EventRead {
        state.withLock { state in
            let floor = state.ring.floor(of: kinds)
            if id < floor { return .missed(floor) }
            let entries = state.ring.entries(after: id, of: kinds, atMost: most)
            if !entries.isEmpty { return .events(entries) }
            if let end = state.end { return .ended(end) }
            let token = WaitToken(number: state.nextToken)
            state.nextToken += 1
            state.waiting[token.number] = Reader(kinds: kinds, wake: wake)
            return .waits(token)
        }
    }

    /// Removes a reader that waits.
    public func cancel(_ token: WaitToken) { state.withLock { $0.waiting[token.number] = nil } }
}
