// Missing files: a start that would lose something is refused. A salvage repairs the directory, and afterwards no
// version or uid that was ever shown returns with other content.

import Glibc
import Journal
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Missing files")
struct MissingFilesTests {
    /// The files that are removed from a directory.
    enum Loss: CaseIterable, Sendable {
        case journal, snapshots, modelSnapshots, firstSegment

        func happen(to directory: TemporaryDirectory) throws {
            switch self {
            case .journal: for name in directory.files("journal") { try directory.remove("journal/\(name)") }
            case .snapshots: for name in directory.files("snapshots") { try directory.remove("snapshots/\(name)") }
            case .modelSnapshots:
                for name in directory.files("snapshots") where try directory.read("snapshots/\(name)").count > 4600 {
                    try directory.remove("snapshots/\(name)")
                }
            case .firstSegment:
                // All segments before the last one: the snapshots need some of them.
                for name in directory.files("journal").dropLast() { try directory.remove("journal/\(name)") }
            }
        }
    }

    /// Two models with snapshots, and a journal whose beginning has been deleted and whose last segment is later than
    /// all snapshots; also returns the versions and uids that clients saw.
    private func filled() throws -> (TemporaryDirectory, versions: [String: Int], uids: Set<ModelUID>) {
        let directory = try TemporaryDirectory()
        let registry = try open(directory)
        defer { registry.shutDown() }
        let models = try ["m", "n"].map { name in
            try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: name)
        }
        var (snapshots, segment): ([String], String?) = ([], nil)
        for number in 1...400 {
            for model in models { try model.push(RecoveryTests.gradients(number), seq(number)) }
            registry.waitForKeeper()
            if snapshots != directory.files("snapshots") {
                (snapshots, segment) = (directory.files("snapshots"), directory.files("journal").last)
            } else if number >= 300, directory.files("journal").last != segment {
                break
            }
        }
        let versions = models.map { ($0.name, $0.publication.current.version) }
        return (directory, Dictionary(uniqueKeysWithValues: versions), Set(models.map(\.uid)))
    }

    private func open(_ directory: TemporaryDirectory) throws(JournalError) -> ModelRegistry {
        try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
    }

    /// Expects a refusal because of damage, which ends a start with status 65.
    private func refuses(_ directory: TemporaryDirectory, _ context: String) {
        do throws(JournalError) {
            try open(directory).shutDown()
            Issue.record("\(context): it started")
        } catch {
            if case .corrupted = error { return }
            Issue.record("\(context): \(error)")
        }
    }

    @Test(
        "a start without them is refused; after a salvage it continues beyond every version", arguments: Loss.allCases)
    func loss(_ loss: Loss) throws {
        let (directory, versions, uids) = try filled()
        #expect(try directory.reading.gaps() == [])
        try loss.happen(to: directory)
        #expect(try directory.reading.gaps() != [])
        refuses(directory, "\(loss)")
        let report = try DirectorySalvage.run(directory.path)
        #expect(!report.isIntact)
        #expect(try directory.reading.gaps() == [])
        for _ in 0..<2 {
            let registry = try open(directory)
            for model in registry.list() {
                #expect(model.publication.current.version > versions[model.name] ?? 0)
                #expect(uids.contains(model.uid))
            }
            #expect(registry.list().count == (loss == .journal || loss == .firstSegment ? 2 : 0))
            registry.shutDown()
        }
        let registry = try open(directory)
        let fresh = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "fresh")
        #expect(!uids.contains(fresh.uid))
        for number in 1...300 { try fresh.push(RecoveryTests.gradients(number), seq(number)) }
        registry.shutDown()
        let again = try open(directory)
        #expect(try again.model(named: "fresh").publication.current.step == 300)
        again.shutDown()
        #expect(try DirectorySalvage.run(directory.path).isIntact)
    }

    @Test("a salvage that was cut off has to be run again, and then raises the versions all the same")
    func interrupted() throws {
        let directory = try TemporaryDirectory()
        let registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...10 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        registry.shutDown()
        let name = "journal/\(try #require(directory.files("journal").first))"
        var bytes = try directory.read(name)
        bytes[try #require(bytes.lastIndex { $0 != 0 }) - 100] ^= 1
        try directory.write(bytes, to: name)
        // The state that a crash leaves between the truncation and the record of the salvage.
        #expect(try SalvageMarker(directory.path).set() == false)
        #expect(try Journal.salvage(directory: "\(directory.path)/journal") != nil)
        #expect(try directory.reading.gaps().count == 1)
        refuses(directory, "an interrupted salvage")
        #expect(try !DirectorySalvage.run(directory.path).isIntact)
        let again = try directory.open()
        #expect(try again.model(named: "m").publication.current.version > SalvageRecord.unknownVersions)
        again.shutDown()
        #expect(try DirectorySalvage.run(directory.path).isIntact)
    }

    @Test("without any snapshot a journal that is whole tells everything")
    func wholeJournal() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...20 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        let digest = model.digest
        registry.shutDown()
        try Loss.snapshots.happen(to: directory)
        #expect(try DirectorySalvage.run(directory.path).isIntact)
        registry = try directory.open()
        #expect(try registry.model(named: "m").digest == digest)
        registry.shutDown()
    }

    @Test("after a cut no version and no uid that was seen comes back with other content")
    func cut() throws {
        let directory = try TemporaryDirectory()
        var registry = try directory.open()
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        try model.push(RecoveryTests.gradients(1), seq(1))
        let cut = try directory.crashImage().files("journal")
        let before = try #require(try directory.read("journal/\(cut[0])").lastIndex { $0 != 0 })
        let lost = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "lost")
        for number in 2...10 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        let seen = model.publication.current.version
        registry.shutDown()
        var bytes = try directory.read("journal/\(cut[0])")
        bytes[before + 60] ^= 1
        try directory.write(bytes, to: "journal/\(cut[0])")
        refuses(directory, "a damaged record")

        #expect(try DirectorySalvage.run(directory.path).problem != nil)
        registry = try directory.open()
        let again = try registry.model(named: "m")
        #expect(again.publication.current.step == 1)
        let version = again.publication.current.version
        #expect(version > seen && version < seen + 1000)
        #expect(try registry.make(RecoveryTests.momentum, RecoveryTests.parameters, name: "lost").uid != lost.uid)
        registry.shutDown()
        let found = try #require(try HistoryReader(directory.reading, catalogue: .builtin).image(of: "m", atStep: nil))
        #expect(found.version == version)
        registry = try directory.open()
        #expect(try registry.model(named: "m").publication.current.version == version)
        registry.shutDown()
    }
}
