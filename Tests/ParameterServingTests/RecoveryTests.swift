// Recovery from disk: everything acknowledged is there, to the bit, and nothing else. The reference is a model in
// memory that gets the acknowledged pushes in the order of their steps.

import Glibc
import Journal
import Names
import Optimizers
import Testing
import Threading

@testable import ParameterServing

@Suite("Recovery")
struct RecoveryTests {
    static let momentum: SettingValue = [
        "optimizer": ["type": "momentum", "momentum": 0.9], "learning_rate": 0.01, "weight_decay": 0.001,
    ]
    static let parameters: [(Name, [Float])] = [("w", [1, -2, 0.5]), ("v", [4])]

    /// Different numbers for each push.
    static func gradients(_ number: Int) -> [Name: [Float]] {
        let value = Float(number)
        return number.isMultiple(of: 3)
            ? ["v": [value / 7]] : ["w": [value / 3, -value / 5, 1 / value], "v": [0.1 * value]]
    }

    /// The digest of a model in memory after these pushes.
    static func reference(_ keys: [(number: Int, key: PushKey?)], settings: SettingValue = momentum) throws -> String {
        let registry = ModelRegistry(configuration: ServingConfiguration(memoryLimit: 1 << 30), catalogue: .builtin)
        defer { registry.shutDown() }
        let model = try registry.make(settings, parameters)
        for (number, key) in keys { try model.push(gradients(number), key) }
        return model.digest
    }

    @Test("a model comes back with every bit, its version, its uid and its receipts")
    func reopen() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(Self.momentum, Self.parameters)
        let receipts = try (1...20).map { try model.push(Self.gradients($0), seq($0)) }
        let before = (digest: model.digest, version: model.publication.current.version, uid: model.uid)
        registry.shutDown()

        registry = try directory.open()
        let again = try registry.model(named: "m")
        #expect((again.digest, again.publication.current.version, again.uid) == before)
        #expect(before.digest == (try Self.reference((1...20).map { ($0, seq($0)) })))
        for (index, first) in receipts.enumerated() {
            var replayed = try again.push(Self.gradients(index + 1), seq(index + 1))
            #expect(replayed.replayed)
            replayed.replayed = false
            replayed.woken = first.woken
            #expect(replayed == first)
        }
        #expect(again.digest == before.digest)
        #expect(try again.push(Self.gradients(21), seq(21)).step == 21)
        registry.shutDown()
    }

    @Test("every kind of change comes back: patch, import, registration, divergence, another model's uid")
    func everyCommand() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(Self.momentum, Self.parameters)
        try model.push(Self.gradients(1))
        try model.patch(["learning_rate": 0.5])
        try model.load(["v": [7]])
        #expect(try model.register("a") == 1)
        try model.push(Self.gradients(2), seq(1, epoch: 1))
        let other = try registry.make(["optimizer": "sgd", "learning_rate": 1e30], Self.parameters, name: "other")
        #expect(throws: ServingError.self) { try other.push(["v": [1e30]]) }
        let before = (model.digest, other.digest, model.publication.current.version)
        let settings = model.publication.current.facts.settings
        registry.shutDown()

        registry = try directory.open()
        let again = try registry.model(named: "m")
        let otherAgain = try registry.model(named: "other")
        #expect((again.digest, otherAgain.digest, again.publication.current.version) == before)
        #expect(again.publication.current.facts.settings == settings)
        #expect(otherAgain.publication.divergence == "v")
        #expect(throws: ServingError.diverged(parameter: "v")) { try otherAgain.push(["v": [0]]) }
        #expect(throws: ServingError.fenced(worker: "a", epoch: 0, current: 1)) { try again.push(["v": [1]], seq(2)) }
        registry.shutDown()
    }

    @Test("pushes logged out of order keep the receipts that were sent, gap included")
    func outOfOrder() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(Self.momentum, Self.parameters)
        let answers = Collector<(Int, Receipt)>()
        let done = Future<Void>()
        let order = (1...30).map { $0 % 2 == 0 ? $0 - 1 : $0 + 1 }
        for number in order {
            model.submit(command: .push(try model.makePush(Self.gradients(number), seq(number)))) { result in
                if case .success(let outcome) = result, case .receipt(let receipt) = outcome.answer {
                    answers.add((number, receipt))
                }
                if answers.all.count == order.count { done.fulfil(()) }
            }
        }
        done.wait()
        let digest = model.digest
        registry.shutDown()

        registry = try directory.open()
        let again = try registry.model(named: "m")
        #expect(again.digest == digest)
        for (number, receipt) in answers.all {
            #expect(try again.push(Self.gradients(number), seq(number)).gap == receipt.gap)
        }
        registry.shutDown()
    }

    @Test("a copy of the directory, taken at any moment while workers push, holds what was acknowledged by then")
    func crashImages() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 16 << 10)
        let model = try registry.make(Self.momentum, Self.parameters)
        let load = Load(model, workers: 4, pushes: 150)
        var images: [(TemporaryDirectory, acknowledged: [Acknowledged])] = []
        while !load.isDone && images.count < 8 {
            let acknowledged = load.acknowledged.all
            images.append((try directory.crashImage(), acknowledged))
        }
        load.wait()
        registry.shutDown()
        for (image, acknowledged) in images { try Self.check(image, holds: acknowledged, of: load.acknowledged.all) }
        try Self.check(directory, holds: load.acknowledged.all, of: load.acknowledged.all)
    }

    /// Reopens a directory: it must hold every push of `acknowledged`, and its digest must be that of the first pushes
    /// of `all`.
    private static func check(
        _ image: TemporaryDirectory, holds acknowledged: [Acknowledged], of all: [Acknowledged]
    ) throws {
        let registry = try image.open(segmentBytes: 16 << 10)
        defer { registry.shutDown() }
        let model = try registry.model(named: "m")
        let step = model.publication.current.step
        #expect(step >= acknowledged.map(\.receipt.step).max() ?? 0)
        let first = all.sorted { $0.receipt.step < $1.receipt.step }.prefix(step)
        #expect(try model.digest == reference(first.map { ($0.number, $0.key) }))
    }

    @Test("snapshots let old segments go, and what is left comes back to the bit, twice")
    func snapshots() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let model = try registry.make(Self.momentum, Self.parameters)
        for number in 1...400 {
            try model.push(Self.gradients(number), seq(number))
            registry.waitForKeeper()
        }
        let digest = model.digest
        registry.shutDown()
        #expect(!directory.files("journal").contains("segment-000000000001.journal"))
        #expect(directory.files("snapshots").count >= 3)
        for _ in 0..<2 {
            registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
            #expect(try registry.model(named: "m").digest == digest)
            registry.shutDown()
        }
        #expect(digest == (try Self.reference((1...400).map { ($0, seq($0)) })))
    }

    @Test("a damaged newest snapshot is skipped in favour of the older one", arguments: [0, 1, 2, 3])
    func damagedSnapshot(place: Int) throws {
        let (directory, digest) = try Self.directoryWithSnapshots()
        let models = try Self.modelSnapshots(directory)
        let newest = try #require(models.last)
        var bytes = try directory.read(newest)
        bytes[[20, 4000, 4200, bytes.count - 1][place]] ^= 1
        try directory.write(bytes, to: newest)
        let (registry, summary) = try directory.recover(segmentBytes: 4096, snapshotAllowance: 8192)
        #expect(summary.damaged.count == 1)
        #expect(try registry.model(named: "m").digest == digest)
        registry.shutDown()
    }

    @Test(
        "with every snapshot of a model damaged nothing starts: a model is never lost silently",
        arguments: [20, 4200])
    func allSnapshotsDamaged(offset: Int) throws {
        let (directory, _) = try Self.directoryWithSnapshots()
        for name in try Self.modelSnapshots(directory) {
            var bytes = try directory.read(name)
            bytes[offset] ^= 1
            try directory.write(bytes, to: name)
        }
        #expect(throws: JournalError.self) { try directory.open(segmentBytes: 4096) }
    }

    @Test("a journal that begins after the snapshot it continues is refused")
    func missingSegment() throws {
        let (directory, _) = try Self.directoryWithSnapshots()
        for name in directory.files("journal").dropLast() { try directory.remove("journal/\(name)") }
        let newest = try #require(try Self.modelSnapshots(directory).last)
        try directory.remove(newest)
        #expect(throws: JournalError.self) { try directory.open(segmentBytes: 4096) }
    }

    /// Makes 400 pushes with snapshots between them, and closes the directory; returns the digest.
    private static func directoryWithSnapshots() throws -> (TemporaryDirectory, String) {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let model = try registry.make(momentum, parameters)
        for number in 1...400 {
            try model.push(gradients(number), seq(number))
            registry.waitForKeeper()
        }
        defer { registry.shutDown() }
        return (directory, model.digest)
    }

    private static func modelSnapshots(_ directory: TemporaryDirectory) throws -> [String] {
        let store = try SnapshotStore(directory: directory.path + "/snapshots")
        let ids = try store.list().snapshots.filter { $0.kind == DataDirectory.Kind.model.rawValue }.map(\.id)
        return directory.files("snapshots").filter { name in ids.contains { name.hasSuffix("\($0).snapshot") } }
            .map { "snapshots/\($0)" }
    }

    @Test("a torn tail is dropped and reported, and only what was not acknowledged goes with it")
    func tornTail() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        let model = try registry.make(Self.momentum, Self.parameters)
        for number in 1...5 { try model.push(Self.gradients(number), seq(number)) }
        let image = try directory.crashImage()
        registry.shutDown()
        let name = "journal/" + (try #require(image.files("journal").first { $0.hasPrefix("segment") }))
        var bytes = try image.read(name)
        let end = try #require(bytes.lastIndex { $0 != 0 })
        bytes[end] = 0
        try image.write(bytes, to: name)
        let (recovered, summary) = try image.recover()
        #expect(summary.tornBytes > 0)
        let again = try recovered.model(named: "m")
        #expect(again.publication.current.step == 4)
        #expect(again.digest == (try Self.reference((1...4).map { ($0, seq($0)) })))
        #expect(try again.push(Self.gradients(5), seq(5)).step == 5)
        recovered.shutDown()
    }

    @Test("deleted models stay away, replaced ones too, and uids continue")
    func deleteAndRecreate() throws {
        let directory = try TemporaryDirectory()
        var seen: Set<ModelUID> = []
        for round in 0..<6 {
            let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 4096)
            let names = registry.list().map(\.name)
            #expect(names == (round == 0 ? [] : ["kept"]))
            let gone = try registry.make(Self.momentum, Self.parameters, name: "gone")
            for number in 1...60 { try gone.push(Self.gradients(number), seq(number)) }
            let kept = try registry.make(Self.momentum, Self.parameters, name: "kept")
            for number in 1...60 { try kept.push(Self.gradients(number), seq(number)) }
            #expect(seen.insert(gone.uid).inserted && seen.insert(kept.uid).inserted)
            try registry.delete("gone")
            registry.shutDown()
        }
    }

    @Test("a second opening is refused before it has read anything")
    func secondOpening() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        defer { registry.shutDown() }
        #expect(throws: JournalError.inUse(processID: Int(getpid()))) { try directory.data() }
    }

    @Test("a model without pushes does not hold old segments forever")
    func idleModel() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let idle = try registry.make(Self.momentum, Self.parameters, name: "idle")
        try idle.push(Self.gradients(1), seq(1))
        let busy = try registry.make(Self.momentum, Self.parameters)
        for number in 1...1000 {
            try busy.push(Self.gradients(number), seq(number))
            registry.waitForKeeper()
        }
        let digests = (idle.digest, busy.digest)
        registry.shutDown()
        #expect(directory.files("journal").count < 30)
        registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        #expect((try registry.model(named: "idle").digest, try registry.model(named: "m").digest) == digests)
        registry.shutDown()
    }

    @Test("a name that was used before is its newest model's, whatever of the older ones the journal still tells")
    func namesakes() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
        let other = try registry.make(Self.momentum, Self.parameters, name: "other")
        try Self.push(other, 1...200, registry)
        _ = try registry.make(Self.momentum, Self.parameters)
        try registry.delete("m")
        let model = try registry.make(Self.momentum, Self.parameters)
        try Self.push(model, 1...5, registry)
        let checkpoint = try registry.save(model).id
        try Self.push(other, 201...320, registry)
        let store = try SnapshotStore(directory: directory.path + "/snapshots")
        #expect(try store.list().snapshots.contains { $0.model == model.uid.number })
        registry.shutDown()
        for round in 1...3 {
            registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
            let again = try registry.model(named: "m")
            #expect(again.uid == model.uid && again.publication.current.step == 5 * round)
            #expect(try registry.saved(again).map(\.id) == [checkpoint])
            try Self.push(again, 5 * round + 1...5 * round + 5, registry)
            try Self.push(try registry.model(named: "other"), 320 + 150 * round...470 + 150 * round, registry)
            registry.shutDown()
        }
    }

    private static func push(_ model: Model, _ numbers: ClosedRange<Int>, _ registry: ModelRegistry) throws {
        for number in numbers {
            try model.push(gradients(number), seq(number))
            registry.waitForKeeper()
        }
    }
}
