// Files of every released format load forever. Golden/v1 was written by this release's code when format 1 was made;
// PARAMD_RECORD_GOLDEN=DIR writes such files again, which is only right for a new format, under a new name.

import Foundation
import Journal
import Testing

@testable import ParameterServing

@Suite("Golden files")
struct GoldenTests {
    /// The digest of the model in Golden/v1/directory, after 40 pushes.
    static let digest = "24961eb2a5d320b2dc2558bce2ced43a"

    static func golden(_ name: String, of version: String = "v1") throws -> [UInt8] {
        let root = try #require(Bundle.module.resourcePath)
        return try Array(Data(contentsOf: URL(fileURLWithPath: "\(root)/Golden/\(version)/\(name)")))
    }

    /// Opens a golden directory.
    static func copy(of version: String) throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        let root = try #require(Bundle.module.resourcePath) + "/Golden/\(version)/directory"
        for part in ["journal", "snapshots", "checkpoints"] {
            mkdir("\(copy.path)/\(part)", 0o700)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(part)")) ?? [] {
                try copy.write(try golden("directory/\(part)/\(name)", of: version), to: "\(part)/\(name)")
            }
        }
        return copy
    }

    @Test("every form loads, and is still what this release writes", arguments: Sample.Form.golden)
    func forms(form: Sample.Form) throws {
        let bytes = try Self.golden("\(form).bin", of: form.isOfVersion1 ? "v1" : "v3")
        try form.read(bytes)
        // From format 2 on, an image contains more.
        if form != .image { #expect(try form.bytes() == bytes) }
    }

    @Test("version 1: an image loads with every field")
    func image() throws {
        let head = try ImageSource.of(try Self.golden("image.bin")).head().head
        #expect(head.name == "sample" && head.uid.description == "cafef00d")
        #expect(head.settings == Sample.settings)
        #expect(head.parameters.map(\.name) == ["w", "v"] && head.parameters.map(\.shape.dimensions) == [[3], [1]])
        #expect(head.history.turns == [.init(version: 3, step: 2)])
        #expect(head.version == 3 && head.optimizer.step == 2 && head.position == 4)
        #expect(head.optimizer.slots.map(\.name) == ["moments"] && head.optimizer.slots.map(\.buffer.count) == [4])
        let worker = try #require(head.workers["a"])
        #expect(worker.lastSeq == 2 && worker.entries.map(\.receipt.step) == [1, 2])
        #expect(worker.entries.map(\.receipt.learningRates) == [[0.5], [0.25]])
    }

    @Test("version 1: a push loads with every field")
    func push() throws {
        let bytes = try Self.golden("push.bin")
        let model = try Sample.model()
        try bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            guard case .push(let push) = try Command(.push, reading: &reader, layout: model.layout, pool: model.pool)
            else { return #expect(Bool(false), "it is a push") }
            #expect(push.key == seq(3) && push.basedOn == .step(1) && push.loss == 0.25)
            #expect(push.gradients.isDense == [true, false])
            #expect(Array(push.gradients.dense[0..<3]) == [1, 2, 3])
            let rows = try #require(push.gradients.sparse[1])
            #expect(rows.indices == [0, 0] && Array(rows.values[0..<2]) == [0.5, 0.5])
        }
    }

    @Test("version 3: registrations and the ends of leases load with every field")
    func leases() throws {
        let model = try Sample.model()
        func command(_ form: Sample.Form) throws -> Command {
            try Self.golden("\(form).bin", of: "v3").withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                return try Command(form.kind, reading: &reader, layout: model.layout, pool: model.pool)
            }
        }
        guard case .register(let registration, nil) = try command(.registerCounted) else {
            return #expect(Bool(false), "it is a registration")
        }
        #expect(registration == Registration(worker: "wörker", ttl: 30_000, isCounted: true))
        guard case .endLeases(let ended) = try command(.endLeases) else {
            return #expect(Bool(false), "it is the end of leases")
        }
        #expect(ended == [EndedLease(worker: "a", epoch: 3), EndedLease(worker: "wörker", epoch: 1)])
    }

    @Test("version 1: a directory opens with the digest that it was closed with")
    func directory() throws {
        let copy = try Self.copy(of: "v1")
        let registry = try copy.open(segmentBytes: 4096, snapshotAllowance: 8192)
        defer { registry.shutDown() }
        let model = try registry.model(named: "m")
        #expect(model.publication.current.step == 40)
        #expect(model.digest == Self.digest)
        #expect(try model.push(RecoveryTests.gradients(40), seq(40)).replayed)
    }

    @Test("writes the files again", .enabled(if: getenv("PARAMD_RECORD_GOLDEN") != nil, "only to record"))
    func record() throws {
        let target = String(cString: try #require(getenv("PARAMD_RECORD_GOLDEN")))
        for form in Sample.Form.allCases {
            try Data(try form.bytes()).write(to: URL(fileURLWithPath: "\(target)/\(form).bin"))
        }
        let directory = try TemporaryDirectory()
        let registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 2048)
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...40 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        print("digest \(model.digest)")
        registry.shutDown()
        try FileManager.default.copyItem(atPath: directory.path, toPath: "\(target)/directory")
    }
}
