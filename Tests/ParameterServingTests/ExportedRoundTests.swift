// The open round in the record that creates a model from a file, and in the image of a checkpoint. The golden record
// comes from a writer of its own, Reference/make_golden.py; the expected values are those that it was given.

import Journal
import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Exported rounds")
struct ExportedRoundTests {
    private static func creation(_ bytes: [UInt8]) throws -> CreationRecord {
        try parse(bytes) { reader throws(FormatError) in try CreationRecord(.createWithRound, reading: &reader) }
    }

    /// The model of the golden record at position 9 of a journal, as a start builds it.
    private static func model(position: UInt64 = 9) throws -> ModelState {
        let creation = try creation(GoldenTests.golden("createWithRound.bin", of: "v4"))
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        var model = try assembly.assemble(creation.name, ModelUID(number: 0xCAFE_F00D), creation.source)
        model.begin(at: position)
        return model
    }

    @Test("a creation with a round loads with every field, and is what this release writes")
    func golden() throws {
        let bytes = try GoldenTests.golden("createWithRound.bin", of: "v4")
        let creation = try Self.creation(bytes)
        #expect(creation.count == 7 && creation.name == "sample" && creation.key == nil)
        let written = creation.source.record(of: try Sample.model(), count: 7)
        #expect(written.type == 18 && written.payload.flatMap { Array($0.content) } == bytes)
        let model = try Self.model()
        #expect(Array(model.arena.buffer[0..<4]) == [1, -2, 0.5, 4] && model.optimizer.step == 2)
        #expect(model.version == 1 && model.round.number == 0)
        let held = model.round.held
        #expect(held.map(\.position) == [9, 9] && held.map(\.place) == [0, 1] && held.map(\.gap) == [2, 0])
        #expect(held.map(\.push.key) == [seq(3, epoch: 5), nil] && held.map(\.requestKey?.text) == [nil, "kéy"])
        #expect(held.map(\.push.loss) == [0.75, nil] && held.map(\.push.basedOn) == [.step(2), nil])
        #expect(held.map(\.push.examples) == [32, nil] && held.map(\.staleness) == [1, nil])
        #expect(held[0].push.gradients.isDense == [false, true] && held[0].push.gradients.dense.base[3] == -0.5)
        #expect(held[1].push.gradients.isDense == [true, false])
        #expect(Array(held[1].push.gradients.dense[0..<3]) == [7, 8, 9])
        let rows = try #require(held[0].push.gradients.sparse[0])
        #expect(rows.indices == [2, 0] && Array(rows.values[0..<2]) == [3, 1])
    }

    @Test("a retry of each push finds its receipt, and its worker is not registered")
    func receipts() throws {
        var model = try Self.model()
        let worker = try #require(model.ledger.workers["a"])
        #expect(worker.epoch == 5 && worker.lastSeq == 3 && worker.forgottenThrough == 3 && !worker.isRegistered)
        #expect(model.ledger.registeredCount == 0 && model.ledger.epochs.last == 5)
        #expect(
            worker.entries.map(\.seq) == [3] && worker.entries[0].fingerprint == Fingerprint(high: 0x1111, low: 0x2222))
        let told = try #require(worker.entries[0].receipt.round)
        #expect(told.state == .held && told.step == 3 && told.received == 1)
        let key = RequestKey(
            text: "kéy", target: Fingerprint(high: 9, low: 9), body: Fingerprint(high: 3, low: 4), time: 1_700_000_001)
        guard case .receipt(let stored)? = try model.keys.find(key) else {
            return #expect(Bool(false), "the key has no receipt")
        }
        #expect(stored.round?.state == .held && stored.round?.received == 2)
        // A later push follows in the round, and the closing settles all three receipts.
        let push = try model.makePush(["w": [1, 1, 1]], seq(1, "b"))
        _ = model.apply(.push(push), at: 10)
        #expect(model.round.held.map(\.position) == [9, 9, 10])
        _ = model.apply(.closeRound(RoundClosing(round: nil, action: .update)), at: 11)
        #expect(model.round.isEmpty && model.optimizer.step == 3)
        #expect(model.ledger.workers["a"]?.entries.map(\.receipt.round?.state) == [.closed])
        guard case .receipt(let final)? = try model.keys.find(key) else {
            return #expect(Bool(false), "the key has lost its receipt")
        }
        #expect(final.round?.state == .closed && final.round?.received == 3)
        // w' = w - 0.125 m' with m' = 0.5 m + g; g = ((1, 0, 3) + (7, 8, 9) + (1, 1, 1)) / 3.
        let gradient: [Double] = [3, 3, 13.0 / 3]
        for (place, start) in [(1, 0.25), (-2, 0.5), (0.5, 0.75)].enumerated() {
            let expected = start.0 - 0.125 * (0.5 * start.1 + gradient[place])
            #expect(abs(Double(model.arena.buffer[0..<4][place]) - expected) < 1e-6)
        }
    }

    @Test("an image of the new model has the same digest after a start")
    func image() throws {
        let model = try Self.model()
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        let copy = try assembly.assemble(.of(model.view.bytes))
        #expect(copy.view.digest == model.view.digest && copy.round.held.map(\.position) == [9, 9])
        #expect(try Self.model(position: 9).view.digest == model.view.digest)
    }

    @Test("without held pushes, the record is of the kind of earlier releases")
    func withoutRound() throws {
        let model = try Sample.model()
        let source = ModelSource.state(Sample.definition, model.view.head.optimizer, RoundImage())
        let record = source.record(of: model, count: 6)
        #expect(record.type == 8)
        #expect(record.payload.flatMap { Array($0.content) } == (try GoldenTests.golden("createFromImage.bin")))
    }

    @Test("a checkpoint has the pushes of the round, and no number of rounds")
    func checkpoint() throws {
        var model = try Self.model()
        _ = model.apply(.closeRound(RoundClosing(round: nil, action: .update)), at: 10)
        #expect(model.view.ofCheckpoint.head.round.isUntouched)
        _ = model.apply(.push(try model.makePush(["v": [1]], seq(1, "b"))), at: 11)
        let round = model.view.ofCheckpoint.head.round
        #expect(round.number == 0 && round.held.count == 1 && model.round.number == 1)
    }

    @Test("a push that the model cannot read makes it unavailable instead of ending the daemon")
    func damage() throws {
        guard case .state(let definition, let state, var round) = try Sample.sourceWithRound() else { return }
        round.held[0].record = [Bytes(copying: [1, 0, 0])]
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        let source = ModelSource.state(definition, state, round)
        #expect(throws: ServingError.self) {
            try assembly.assemble("sample", ModelUID(number: 1), source)
        }
    }
}
