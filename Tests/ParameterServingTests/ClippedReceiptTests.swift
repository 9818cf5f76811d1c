// The norm after clipping in receipts: it comes back from the journal and from images, and other images are as before.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Receipts of clipped pushes")
struct ClippedReceiptTests {
    private static let clipping: SettingValue = ["optimizer": "sgd", "learning_rate": 1, "clip": ["global_norm": 6.5]]

    @Test("come back entry for entry", arguments: [nil, 2.5, .infinity] as [Double?])
    func ledger(_ norm: Double?) throws {
        var ledger = WorkerLedger(window: 2)
        for number in 1...2 {
            var receipt = Receipt(
                applied: true, step: number, version: number, learningRates: [0.5], staleness: 0, gradientNorm: 5,
                updateRatio: nil, overflow: false, nextLossScale: nil, gap: 7)
            receipt.isFromLeftBranch = number == 2
            receipt.clippedGradientNorm = norm
            ledger.finish(seq(number), Fingerprint(high: 1, low: UInt64(number)), receipt)
        }
        var writer = ByteWriter()
        writer.write(workers: ledger.workers)
        let copy = try parse(writer.bytes) { reader throws(FormatError) in try reader.readLedger() }
        #expect(copy.workers == ledger.workers)
    }

    @Test("make an image of format 6; without any, images have the formats of earlier releases")
    func formats() throws {
        for (key, settings, format) in [
            (seq(1), Self.clipping, 6), (PushKey?.none, Self.clipping, 2),
            (seq(1), Self.clipping.setting("clip", to: nil), 2),
        ] as [(PushKey?, SettingValue, UInt8)] {
            let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
            let definition = ModelDefinition.of(settings, [("w", [3, 4])])
            var model = try assembly.assemble("m", ModelUID(number: 1), .definition(definition))
            model.begin(at: 1)
            _ = model.apply(.push(try model.makePush(["w": [5, 12]], key)), at: 2)
            let image = model.view.ofEarlierRelease
            #expect(image.headBytes[8] == format)
            let head = try ImageSource.of(image.bytes).head().head
            #expect(head.workers == image.head.workers)
            let norms = head.workers.values.flatMap { $0.entries.map(\.receipt.clippedGradientNorm) }
            #expect(norms.count == (key == nil ? 0 : 1))
            if format == 6 { #expect(abs((norms[0] ?? 0) - 6.5) < 1e-6) }
        }
    }

    @Test("are the same after a start that reads the journal, and after one that reads a snapshot too")
    func reopen() throws {
        for (pushes, hasSnapshot) in [(20, false), (400, true)] {
            let directory = try TemporaryDirectory()
            var registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
            var model = try registry.make(Self.clipping, RecoveryTests.parameters)
            let receipts = try (1...pushes).map { number in
                defer { registry.waitForKeeper() }
                return try model.push(RecoveryTests.gradients(number), seq(number))
            }
            let digest = model.digest
            #expect(receipts.contains { $0.gradientNorm > 6.6 && abs(($0.clippedGradientNorm ?? 0) - 6.5) < 1e-5 })
            #expect(receipts.contains { $0.gradientNorm < 6.5 && $0.clippedGradientNorm == $0.gradientNorm })
            registry.shutDown()
            #expect(directory.files("journal").contains("segment-000000000001.journal") == !hasSnapshot)
            registry = try directory.open(segmentBytes: 4096, snapshotAllowance: 8192)
            defer { registry.shutDown() }
            model = try registry.model(named: "m")
            #expect(model.digest == digest)
            for number in (pushes - 15)...pushes {
                let replayed = try model.push(RecoveryTests.gradients(number), seq(number))
                let first = receipts[number - 1]
                #expect(replayed.replayed && replayed.clippedGradientNorm == first.clippedGradientNorm)
                #expect(replayed.gradientNorm == first.gradientNorm)
            }
        }
    }
}
