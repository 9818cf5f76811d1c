// When events happened, and why a worker left: a restart must tell a follower what it was told at first, whatever the
// clock says then.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Times of events")
struct EventTimeTests {
    /// What a follower is told, without the contents of changes.
    private struct Told: Equatable {
        var number: Int
        var time: Int?
        var event: String
    }

    private static func configuration(_ time: Locked<Int>) -> ServingConfiguration {
        var configuration = ServingConfiguration(memoryLimit: 1 << 30)
        configuration.clock = { time.withLock { Tick(uptime: UInt64($0) * 1_000_000_000, time: $0) } }
        // No timer rings on its own.
        configuration.timers = Timers { 0 }
        (configuration.mostWorkers, configuration.workerLifetime) = (2, .seconds(50))
        return configuration
    }

    private static func open(_ directory: TemporaryDirectory, _ time: Locked<Int>) throws -> ModelRegistry {
        try ModelRegistry.open(directory.data(), configuration: configuration(time), catalogue: .builtin) { _ in }.0
    }

    private static func told(_ model: Model) -> [Told] {
        let kinds = Set(ModelEvent.Kind.allCases)
        guard
            case .events(let events) = model.events.read(
                after: EventID(number: 1), of: kinds, atMost: 999, orElse: {})
        else { return [] }
        return events.map { event in
            let text =
                switch event.event {
                case .workerLeft(let worker, let epoch, let reason): "\(worker) \(epoch) \(reason)"
                case .workerJoined(let worker, let epoch): "\(worker) \(epoch)"
                case .round(let round): "\(round.outcome) \(round.reason)"
                default: event.event.kind.rawValue
                }
            return Told(number: event.id.number, time: event.time, event: text)
        }
    }

    /// One change of each kind, ten seconds apart, from the time 1000.
    private static func train(_ model: Model, _ time: Locked<Int>) throws {
        let changes: [(Model) throws -> Void] = [
            { try $0.patch(["learning_rate": 0.25]) },
            { try $0.load(["w": [1, 1]]) },
            { try $0.grow(Growth(rows: [Growth.Rows("w", count: 1, initial: "zeros")])) },
            { _ = try $0.perform(command: .restore(Restoration(try $0.image()))) },
            { _ = try $0.perform(Change.register(worker: "a", ttl: .seconds(1))) },
            { model in
                model.post(.endLeases)
                // Handled after the message.
                _ = model.inspected(\.version)
            },
            { try $0.push(["w": [1, 1, 1]], seq(1, "b")) },
            // `a` has left, so that it makes room.
            { _ = try $0.register("c") },
            { _ = try $0.perform(command: .dismiss(worker: "c")) },
            { try $0.patch(["consistency": ["mode": "manual"]]) },
            { try $0.push(["w": [1, 1, 1]], seq(2, "b")) },
            { _ = try $0.perform(Change.step()) },
            // Unseen for fifty seconds.
            { _ = try $0.register("d") },
            { _ in time.withLock { $0 += 100 } },
            { try $0.push(["w": [1, 1, 1]], seq(1, "e")) },
        ]
        for change in changes {
            try change(model)
            time.withLock { $0 += 10 }
        }
    }

    private static let expected = [
        Told(number: 2, time: 1000, event: "patch"),
        Told(number: 3, time: 1010, event: "imported"),
        Told(number: 4, time: 1020, event: "grown"),
        Told(number: 5, time: 1030, event: "restored"),
        Told(number: 6, time: 1040, event: "a 1"),
        Told(number: 7, time: 1050, event: "a 1 expired"),
        Told(number: 8, time: 1060, event: "b 0"),
        Told(number: 10, time: 1070, event: "a 1 replaced"),
        Told(number: 11, time: 1070, event: "c 2"),
        Told(number: 12, time: 1080, event: "c 2 deleted"),
        Told(number: 13, time: 1090, event: "patch"),
        // Of all updates, the newest.
        Told(number: 14, time: 1110, event: "update"),
        Told(number: 15, time: 1110, event: "applied step"),
        Told(number: 16, time: 1120, event: "d 3"),
        Told(number: 17, time: 1240, event: "e 0"),
        Told(number: 18, time: 1240, event: "b 0 replaced"),
    ]

    @Test("a restart tells each event with its time, and why a worker left")
    func restart() throws {
        let (directory, time) = (try TemporaryDirectory(), Locked(1000))
        var registry = try Self.open(directory, time)
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 0.5], [("w", [6, 8])])
        try Self.train(model, time)
        let live = Self.told(model)
        #expect(live == Self.expected)
        let crashed = try directory.crashImage()
        registry.shutDown()

        registry = try Self.open(crashed, Locked(1_000_000))
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        #expect(Self.told(model) == live)
    }

    /// A record of an earlier release says nothing, unless its request had a key.
    @Test("no time is made up for a record without one; that of a key counts")
    func earlierReleases() throws {
        let model = try Sample.model()
        let patch = Command.reconfigure(SettingsPatch(patch: ["learning_rate": 0.125]), ifVersion: nil)
        for (command, time) in [
            (patch, nil),
            (patch.under(RequestKey(text: "k", target: nil, time: 77)), 77),
            (patch.under(RequestKey(text: "k", target: nil, time: RequestKey.always)), nil),
            (patch.under(RequestKey(text: "k", target: nil, time: 77)).seen(Sighting(time: 78)), 78),
        ] as [(Command, Int?)] {
            let content = command.record(of: model.facts.uid, in: model.layout).payload.flatMap { Array($0.content) }
            let read = try content.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try Command(.reconfigure, reading: &reader, layout: model.layout, pool: model.pool)
            }
            var state = try Sample.model()
            let times = state.apply(read, at: state.position).compactMap { effect in
                if case .event(_, _, let time) = effect { Optional(time) } else { nil }
            }
            #expect(times == [time])
        }
    }
}
