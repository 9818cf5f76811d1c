// What followers of a model hear: every event in order, updates joined, a clear word about what is missing; and the same
// after a restart.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Events")
struct EventTests {
    private static let all = Set(ModelEvent.Kind.allCases)
    private static let uid = ModelUID(number: 7)

    private static func feed(most: Int = 4, in all: EventFeed? = nil) -> EventFeed {
        EventFeed(
            uid, EventRing(most: most, floor: EventID(number: 1)), in: all, MemoryBudget(limit: 1 << 30))
    }

    private static func event(_ number: Int, _ event: ModelEvent, uid: ModelUID = uid) -> FeedEvent {
        FeedEvent(id: EventID(number: number), model: "m", uid: uid, time: nil, event: event)
    }

    private static func update(_ step: Int) -> ModelEvent { .update(step: step, version: step + 1, loss: nil) }

    // MARK: Ids

    @Test("an id reads back, and nothing else does")
    func ids() throws {
        let places = [EventID(number: 0), EventID(number: 42)]
        #expect(places.map { $0.text(in: Self.uid) } == ["00000007.0", "00000007.42"])
        for place in places {
            let read = try #require(EventID.reading(place.text(in: Self.uid)))
            #expect(read.feed == Self.uid && read.id == place)
        }
        for text in [
            "", "7", "00000007", "00000007.", "00000007.-1", "00000007.01", "00000007.1.0", "00000007-1",
            "00000007.1.2.3", "00000007.1.", "00000007.1.x", "00000007.01.5", "00000007.99999999999999999999",
            " 00000007.1", "00000007.1 ", "0000000G.1",
        ] { #expect(EventID.reading(text) == nil, "\(text)") }
        #expect(places == places.shuffled().sorted())
        // Checkpoints of earlier releases.
        #expect(EventID.reading("00000007.42.1700000000")?.id == EventID(number: 42))
    }

    // MARK: The ring

    @Test("of updates only the newest is kept, all others in order")
    func newestUpdate() {
        var ring = EventRing(most: 4, floor: EventID(number: 0))
        for number in 1...1000 { ring.add(Self.event(number, Self.update(number))) }
        ring.add(Self.event(1001, .workerJoined("a", epoch: 1)))
        ring.add(Self.event(1002, Self.update(1001)))
        ring.add(Self.event(1003, .workerLeft("a", epoch: 1, because: .deleted)))
        let entries = ring.entries(after: EventID(number: 0), of: Self.all, atMost: 9)
        #expect(entries.map(\.id.number) == [1001, 1002, 1003])
        #expect(ring.entries(after: EventID(number: 1001), of: Self.all, atMost: 9).map(\.id.number) == [1002, 1003])
        #expect(ring.entries(after: EventID(number: 0), of: [.update], atMost: 9).map(\.id.number) == [1002])
        #expect(ring.entries(after: EventID(number: 0), of: [.workerLeft], atMost: 9).map(\.id.number) == [1003])
        #expect(ring.entries(after: EventID(number: 0), of: Self.all, atMost: 2).map(\.id.number) == [1001, 1002])
        #expect(ring.floor(of: Self.all) == EventID(number: 0) && ring.newest == EventID(number: 1003))
    }

    @Test("beyond its size the oldest go, and it says from where it is complete")
    func floor() {
        var ring = EventRing(most: 4, floor: EventID(number: 0))
        for number in 1...20 { ring.add(Self.event(number, .workerLeft("a", epoch: 1, because: .deleted))) }
        #expect(ring.floor(of: Self.all) == EventID(number: 16))
        #expect(
            ring.entries(after: ring.floor(of: Self.all), of: Self.all, atMost: 99).map(\.id.number) == [
                17, 18, 19, 20,
            ])
        #expect(ring.bytes < 4096)
    }

    @Test("many models have one update each, in the order of the newest")
    func models() {
        var ring = EventRing(most: 4, floor: EventID(number: 0))
        for number in 1...5000 {
            ring.add(Self.event(number, Self.update(number), uid: ModelUID(number: UInt32(number % 50))))
        }
        let entries = ring.entries(after: EventID(number: 0), of: Self.all, atMost: 99)
        #expect(entries.map(\.id.number) == Array(4951...5000))
        ring.add(Self.event(5001, .deleted(isReplaced: false), uid: ModelUID(number: 0)))
        #expect(ring.entries(after: EventID(number: 4999), of: [.update], atMost: 9).isEmpty)
    }

    // MARK: The feed

    @Test("a reader that waits is woken once, by a kind that it wants")
    func wakes() {
        let feed = Self.feed()
        let woken = Locked(0)
        let wake: @Sendable () -> Void = { woken.withLock { $0 += 1 } }
        guard case .waits = feed.read(after: feed.newest, of: [.patch, .workerLeft], atMost: 9, orElse: wake) else {
            return #expect(Bool(false), "there is nothing to read")
        }
        feed.add(Self.update(1), of: "m", Self.uid, time: 5)
        #expect(woken.withLock { $0 } == 0)
        feed.add(.workerLeft("a", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5)
        feed.add(.workerLeft("b", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5)
        #expect(woken.withLock { $0 } == 1)
        guard case .waits(let token) = feed.read(after: feed.newest, of: Self.all, atMost: 9, orElse: wake) else {
            return #expect(Bool(false), "there is nothing to read")
        }
        feed.cancel(token)
        feed.add(.workerLeft("c", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5)
        #expect(woken.withLock { $0 } == 1)
    }

    @Test("a place that is too old, not reached or of another feed is refused, each in its way")
    func places() throws {
        let all = EventFeed(
            ModelUID(number: 9), EventRing(most: 4, floor: EventID(number: 0)), in: nil, MemoryBudget(limit: 1 << 30))
        let feed = Self.feed(in: all)
        for _ in 1...10 { feed.add(.workerLeft("a", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5) }
        #expect(feed.newest == EventID(number: 11) && all.newest == EventID(number: 10))
        try feed.check(EventID(number: 7), of: Self.uid, for: Self.all)
        #expect(throws: ServingError.eventsTooOld(id: "00000007.6", oldest: "00000007.7")) {
            try feed.check(EventID(number: 6), of: Self.uid, for: Self.all)
        }
        #expect(throws: ServingError.eventUnknown(id: "00000007.12", newest: "00000007.11")) {
            try feed.check(EventID(number: 12), of: Self.uid, for: Self.all)
        }
        #expect(throws: ServingError.eventUnknown(id: "00000008.11", newest: "00000007.11")) {
            try feed.check(EventID(number: 11), of: ModelUID(number: 8), for: Self.all)
        }
        // The feed of all models has another name in every life of the daemon.
        #expect(throws: ServingError.eventsTooOld(id: "00000008.10", oldest: "00000009.6")) {
            try all.check(EventID(number: 10), of: ModelUID(number: 8), for: Self.all)
        }
        guard
            case .missed(EventID(number: 7)) = feed.read(after: EventID(number: 2), of: Self.all, atMost: 9, orElse: {})
        else { return #expect(Bool(false), "the reader is behind") }
    }

    @Test("the end comes after what was added before, and nothing after it")
    func end() {
        let feed = Self.feed()
        let start = feed.newest
        feed.add(.deleted(isReplaced: true), of: "m", Self.uid, time: 5)
        feed.end(.modelReplaced("m"))
        feed.add(.workerLeft("a", epoch: 1, because: .deleted), of: "m", Self.uid, time: 5)
        guard case .events(let events) = feed.read(after: start, of: Self.all, atMost: 9, orElse: {}) else {
            return #expect(Bool(false), "the deletion is there")
        }
        #expect(events.map(\.event) == [.deleted(isReplaced: true)])
        guard case .ended(.modelReplaced) = feed.read(after: feed.newest, of: Self.all, atMost: 9, orElse: {}) else {
            return #expect(Bool(false), "the feed has ended")
        }
    }

    // MARK: A model's events

    private static func read(_ model: Model, after number: Int) -> [ModelEvent] {
        guard
            case .events(let events) = model.events.read(
                after: EventID(number: number), of: all, atMost: 999, orElse: {})
        else { return [] }
        return events.map(\.event)
    }

    @Test("every change is an event, in order, with what a follower needs")
    func changes() throws {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(["optimizer": "sgd", "learning_rate": 0.5, "weight_decay": 0], [("w", [6, 8])])
        #expect(model.events.newest == EventID(number: 1))
        _ = try model.register("a")
        var push = try model.makePush(["w": [3, 4]], seq(1, "a", epoch: 1))
        push.loss = 0.25
        _ = try model.perform(Change.push(push))
        try model.push(["w": [3, 4]], seq(1, "b"))
        try model.patch(["learning_rate": 0.25])
        try model.patch(["learning_rate": 0.25])
        try model.load(["w": [1, 1]])
        _ = try model.perform(Change.dismiss(worker: "a"))
        let events = Self.read(model, after: 1)
        #expect(
            events == [
                .workerJoined("a", epoch: 1), .workerJoined("b", epoch: 0), Self.update(2),
                .patch(
                    PatchedSettings(
                        from: ["learning_rate": 0.5], to: ["learning_rate": 0.25], step: 2, version: 4)),
                .imported(step: 2, version: 5), .workerLeft("a", epoch: 1, because: .deleted),
            ])
        let patch = events.compactMap { if case .patch(let patch) = $0 { patch } else { nil } }
        #expect(patch.first?.changes == [.init(path: "/learning_rate", old: 0.5, new: 0.25)])
        #expect(Self.read(model, after: 2).first == .workerJoined("b", epoch: 0))
        try registry.delete("m")
        #expect(Self.read(model, after: model.events.newest.number - 1) == [.deleted(isReplaced: false)])
    }

    @Test("after a restart a reader continues, from the journal's records and from an image")
    func restart() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 0.5], [("w", [6, 8])])
        for number in 1...5 { try model.push(["w": [3, 4]], seq(number)) }
        try model.patch(["learning_rate": 0.25])
        _ = try model.register("late")
        let (newest, before) = (model.events.newest, Self.read(model, after: 1))
        #expect(newest == EventID(number: 9))
        registry.shutDown()
        registry = try directory.open()
        model = try registry.model(named: "m")
        #expect(model.events.newest == newest && Self.read(model, after: 1) == before)
        try model.events.check(EventID(number: 3), of: model.uid, for: Self.all)
        try model.patch(["learning_rate": 0.125])
        #expect(model.events.newest == EventID(number: 10))
        registry.shutDown()
    }

    // MARK: Patches

    @Test("a patch tells each changed setting, by the name of its group, and abbreviates long values")
    func patched() {
        let many = SettingValue.numbers((0..<1000).map(Double.init))
        let old: SettingValue = [
            "learning_rate": many, "momentum": 0.9,
            "groups": .array([["name": "conv", "lr": 1], ["name": "a/b", "lr": 2, "weight_decay": 3]]),
        ]
        let new: SettingValue = [
            "learning_rate": 0.1, "nesterov": true,
            "groups": .array([["name": "conv", "lr": 1], ["name": "a/b", "lr": 4]]),
        ]
        let patched = PatchedSettings(from: old, to: new, step: 7, version: 8)
        #expect(
            patched.changes == [
                .init(path: "/learning_rate", old: ["values": 1000, "first": 0.0, "last": 999.0], new: 0.1),
                .init(path: "/momentum", old: 0.9, new: .null),
                .init(path: "/groups/a~1b/lr", old: 2, new: 4),
                .init(path: "/groups/a~1b/weight_decay", old: 3, new: .null),
                .init(path: "/nesterov", old: .null, new: true),
            ])
        #expect(patched.more == 0 && patched.step == 7 && patched.version == 8)
    }

    @Test("a patch of very many settings lists the first and counts the rest")
    func manyChanges() {
        func settings(_ rate: Int) -> SettingValue {
            ["groups": .array((0..<1000).map { ["name": .string("g\($0)"), "lr": .integer(rate)] })]
        }
        let patched = PatchedSettings(from: settings(1), to: settings(2), step: 0, version: 2)
        #expect(patched.changes.count == 64 && patched.more == 936)
        #expect(patched.changes.last == .init(path: "/groups/g63/lr", old: 1, new: 2))
    }
}
