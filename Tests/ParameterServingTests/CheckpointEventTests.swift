// What followers hear of checkpoints: the same after a restart, from the record of each save and each restore.

import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Events of checkpoints")
struct CheckpointEventTests {
    private static func told(
        _ model: Model, after place: EventID = EventID(number: 1)
    ) -> [(id: EventID, time: Int?, event: ModelEvent)] {
        let read = model.events.read(after: place, of: Set(ModelEvent.Kind.allCases), atMost: 99, orElse: {})
        guard case .events(let events) = read else { return [] }
        return events.map { ($0.id, $0.time, $0.event) }
    }

    @Test("after a restart, followers get each checkpoint and each restore in its place among the other events")
    func restart() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(["optimizer": "sgd", "learning_rate": 0.5], [("w", [6, 8])])
        _ = try model.register("a")
        let saved = try registry.save(model)
        _ = try model.register("b")
        let key = RequestKey(text: "save", target: nil, time: 1000)
        let answer = Future<Result<Answered<CheckpointFacts>, ServingError>>()
        registry.saveCheckpoint(of: model, key: key) { answer.fulfil($0) }
        let keyed = try answer.wait().get().answer
        #expect(try registry.restore(model, saved.id) != nil)
        try model.patch(["learning_rate": 0.25])
        let live = Self.told(model)
        #expect(
            live.prefix(5).map(\.event) == [
                .workerJoined("a", epoch: 1), .checkpoint(saved), .workerJoined("b", epoch: 2), .checkpoint(keyed),
                .restored(step: 0, version: 2, checkpoint: saved.id),
            ])
        #expect(live.map(\.id.number) == Array(2...7) && live.allSatisfy { $0.time != nil })

        let crashed = try directory.crashImage()
        registry.shutDown()
        for after in [crashed, directory] {
            registry = try after.open()
            let again = Self.told(try registry.model(named: "m"))
            registry.shutDown()
            #expect(again.map(\.id) == live.map(\.id) && again.map(\.time) == live.map(\.time))
            #expect(again.map(\.event) == live.map(\.event))
        }
    }

    @Test("a place before the snapshot that a restart begins with is refused; after it, no event is missing")
    func snapshot() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(snapshotAllowance: 1)
        var model = try registry.make(["optimizer": "sgd", "learning_rate": 0.5], [("w", [6, 8])])
        _ = try registry.save(model)
        for rate in [0.25, 0.125] { try model.patch(["learning_rate": .number(rate)]) }
        registry.waitForKeeper()
        _ = try registry.save(model)
        let live = Self.told(model)
        let crashed = try directory.crashImage()
        registry.shutDown()
        registry = try crashed.open(snapshotAllowance: 1)
        defer { registry.shutDown() }
        model = try registry.model(named: "m")
        let kinds = Set(ModelEvent.Kind.allCases)
        guard case .missed(let floor) = model.events.read(after: EventID(number: 1), of: kinds, atMost: 9, orElse: {})
        else { return #expect(Bool(false), "the snapshot has no events") }
        #expect(throws: ServingError.self) { try model.events.check(EventID(number: 1), of: model.uid, for: kinds) }
        let rest = Self.told(model, after: floor)
        #expect(rest.map(\.event) == live.filter { $0.id > floor }.map(\.event))
        #expect(rest.last?.id == live.last?.id && model.events.newest == live.last?.id)
    }

    @Test("a record of an earlier release counts no event for a checkpoint, because that release counted none")
    func earlierReleases() throws {
        let facts = CheckpointFacts(id: 3, step: 1, version: 2, created: 70, bytes: 8)
        let note = Command.note(.saved(facts))
        for (command, events) in [(note, []), (note.seen(Sighting(time: 77)), [ModelEvent.checkpoint(facts)])] {
            var state = try Sample.model()
            let count = state.eventCount
            let effects = state.apply(try Self.replayed(command, .note, state), at: state.position)
            let told = effects.compactMap { if case .event(let event, _, _) = $0 { event } else { nil } }
            #expect(told == events && state.eventCount == count + events.count)
        }
    }

    @Test("the record of a restore names the checkpoint, in the place where a push has its examples")
    func restoredFrom() throws {
        let state = try Sample.model()
        for checkpoint in [nil, 7] as [UInt64?] {
            var restoration = Restoration(try state.image())
            restoration.checkpoint = checkpoint
            guard case .restore(let read) = try Self.replayed(.restore(restoration), .restore, state) else {
                return #expect(Bool(false), "the record is one of a restore")
            }
            #expect(read.checkpoint == checkpoint && read.version == restoration.version)
        }
    }

    @Test("a save that cannot be logged leaves no file behind")
    func unlogged() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        let model = try registry.make(["optimizer": "sgd"], [("w", [6, 8])])
        model.end(.stopping)
        #expect(throws: ServingError.stopping) { try registry.save(model) }
        #expect(directory.files("checkpoints").isEmpty)
        registry.shutDown()
    }

    /// The command as a start reads it from its record.
    private static func replayed(_ command: Command, _ kind: CommandKind, _ state: ModelState) throws -> Command {
        let content = command.record(of: state.facts.uid, in: state.layout).payload.flatMap { Array($0.content) }
        return try content.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            return try Command(kind, reading: &reader, layout: state.layout, pool: state.pool)
        }
    }
}
