// A model that cannot be recovered is named and kept, and the others are recovered. The models have intact snapshots
// whose content this release cannot use, as another release may have left them.

import Journal
import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Unavailable models")
struct UnavailableModelTests {
    /// The fault in the snapshots of a model.
    enum Fault: CaseIterable {
        case stateOfAnother, noImage

        /// Writes a snapshot with the fault, which covers the same records as `info`.
        func write(_ image: ModelImage, in store: SnapshotStore, like info: SnapshotInfo) throws {
            switch self {
            case .stateOfAnother:
                var other = image
                other.head.position = info.position
                other.head.optimizer.isStarted = []
                _ = try begin(other, in: store, kind: .model, label: []).finish()
            case .noImage:
                let writer = try store.create(kind: info.kind, model: info.model, position: info.position)
                try writer.write([8, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 64))
                _ = try writer.finish()
            }
        }
    }

    private func open(_ directory: TemporaryDirectory) throws(JournalError) -> ModelRegistry {
        try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
    }

    /// Replaces the snapshots of a model with what `write` makes of each.
    private func replaceSnapshots(
        of uid: ModelUID, in directory: TemporaryDirectory, _ write: (SnapshotStore, SnapshotInfo) throws -> Void
    ) throws {
        let store = try SnapshotStore(directory: "\(directory.path)/snapshots")
        for info in try store.list().snapshots where info.model == uid.number {
            try write(store, info)
            try store.delete(info.id)
        }
    }

    @Test("one that cannot be read is named, its files stay, the others are served", arguments: Fault.allCases)
    func unreadable(fault: Fault) throws {
        let directory = try TemporaryDirectory()
        var registry = try open(directory)
        for name in ["hurt", "sane"] { try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: name) }
        for number in 1...300 {
            for model in registry.list() { try model.push(RecoveryTests.gradients(number), seq(number)) }
            registry.waitForKeeper()
        }
        let (hurt, sane) = (try registry.model(named: "hurt"), try registry.model(named: "sane"))
        let digests = (hurt: hurt.digest, sane: sane.digest)
        let image = try hurt.image()
        registry.shutDown()
        try replaceSnapshots(of: hurt.uid, in: directory) { try fault.write(image, in: $0, like: $1) }

        // Enough pushes for the journal to be cut; the records that the unavailable model needs must stay.
        registry = try open(directory)
        for number in 301...500 {
            try registry.model(named: "sane").push(RecoveryTests.gradients(number), seq(number))
            registry.waitForKeeper()
        }
        #expect(registry.list().map(\.name) == ["sane"])
        #expect(registry.listUnavailable().map(\.uid) == [hurt.uid])
        #expect(throws: ServingError.self) { try registry.model(named: "hurt") }
        registry.shutDown()

        try replaceSnapshots(of: hurt.uid, in: directory) { store, info in
            var whole = image
            // The image includes every record of the model.
            whole.head.position = max(image.head.position, info.position)
            _ = try begin(whole, in: store, kind: .model, label: []).finish()
        }
        registry = try open(directory)
        #expect(try registry.model(named: "hurt").digest == digests.hurt)
        #expect(try registry.model(named: "sane").digest != digests.sane)
        #expect(registry.listUnavailable().isEmpty)
        registry.shutDown()
    }

    @Test(
        "one whose creation cannot be read is named too, by a start and by a rehearsal of it", arguments: [true, false])
    func unreadableCreation(isCut: Bool) throws {
        let directory = try TemporaryDirectory()
        var registry = try open(directory)
        let sane = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "sane")
        registry.shutDown()
        let uid = ModelUID(number: sane.uid.number &+ 1)
        let journal = try Journal.open(directory: "\(directory.path)/journal") { _ in }
        _ = try journal.appendDurably(creation("hurt", uid, isCut: isCut))
        journal.close()

        let rehearsal = try Rehearsal(directory.reading, catalogue: .builtin, memory: 1 << 20)
        registry = try open(directory)
        for found in [registry.listUnavailable(), rehearsal.unavailable] {
            #expect(found.map(\.name) == ["hurt"] && found.map(\.uid) == [uid])
            #expect(found.first?.explanation.contains("of the journal does not fit it") == true)
        }
        #expect(rehearsal.models == 1 && registry.list().map(\.name) == ["sane"])
        registry.shutDown()
    }

    /// A record of a creation that ends inside its definition, or whose state fits no optimizer.
    private func creation(_ name: String, _ uid: ModelUID, isCut: Bool) throws -> Record {
        var head = ByteWriter()
        head.write(UInt64(2))
        head.write(name)
        if isCut {
            head.write(UInt64.max)
            return Record(type: CommandKind.create.rawValue, model: uid.number, payload: [Bytes(copying: head.bytes)])
        }
        head.write(
            OptimizerState(step: 1, isStarted: [], counts: nil, parameterScalars: [:], lossScaler: [], slots: []))
        head.pad(to: 8)
        let values = ModelDefinition.of(RecoveryTests.momentum, RecoveryTests.parameters).encoded(into: &head)
        let payload =
            [Bytes(copying: head.bytes)] + values.map { Bytes(UnsafeRawBufferPointer($0.values), owner: $0.owner) }
        return Record(type: CommandKind.createFromImage.rawValue, model: uid.number, payload: payload)
    }
}
