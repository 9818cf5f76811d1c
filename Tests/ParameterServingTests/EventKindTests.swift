// Readers of some kinds of events, and the end of a feed.

import Testing
import Threading

@testable import ParameterServing

@Suite("Events of some kinds")
struct EventKindTests {
    private static let all = Set(ModelEvent.Kind.allCases)
    private static let uid = ModelUID(number: 7)

    private static func feed() -> EventFeed {
        EventFeed(uid, EventRing(most: 4, floor: EventID(number: 1)), in: nil, MemoryBudget(limit: 1 << 30))
    }

    @Test("a reader misses nothing while only events of other kinds make room for newer ones")
    func otherKinds() throws {
        let feed = Self.feed()
        feed.add(.update(step: 1, version: 2, loss: nil), of: "m", Self.uid, time: 5)
        let place = feed.newest
        for _ in 1...10 { feed.add(.workerLeft("a", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5) }
        feed.add(.imported(step: 1, version: 3), of: "m", Self.uid, time: 5)
        try feed.check(place, of: Self.uid, for: [.update, .imported])
        guard case .events(let events) = feed.read(after: place, of: [.update, .imported], atMost: 9, orElse: {})
        else { return #expect(Bool(false), "the import can be read") }
        #expect(events.map(\.event) == [.imported(step: 1, version: 3)])
        #expect(throws: ServingError.self) { try feed.check(place, of: Self.uid, for: [.update, .workerLeft]) }
        guard case .missed = feed.read(after: place, of: Self.all, atMost: 9, orElse: {}) else {
            return #expect(Bool(false), "the first of the workers that left are missing")
        }
    }

    @Test("the last event ends the feed in one step, also for readers of other kinds")
    func lastEvent() {
        let feed = Self.feed()
        let woken = Locked(0)
        let reading = feed.read(after: feed.newest, of: [.patch], atMost: 9) { woken.withLock { $0 += 1 } }
        guard case .waits = reading else { return #expect(Bool(false), "there is nothing to read") }
        feed.add(.deleted(isReplaced: false), of: "m", Self.uid, time: 5, endingWith: .modelReplaced("m"))
        // A command that was applied at the same time has the number that the deletion took.
        feed.add(.workerLeft("a", epoch: 1, because: .deleted), of: "m", Self.uid, at: 2, time: 5)
        #expect(woken.withLock { $0 } == 1 && feed.newest == EventID(number: 2))
        guard case .ended(.modelReplaced) = feed.read(after: feed.newest, of: Self.all, atMost: 9, orElse: {}) else {
            return #expect(Bool(false), "the feed has ended")
        }
    }
}
