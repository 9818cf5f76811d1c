// Logged changes are applied regardless of the flags of the run that replays them: an acknowledged push must not depend
// on a setting that someone changed.

import Journal
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Replay and flags")
struct FlagTests {
    /// A directory whose daemon kept 1000 receipts, with push 5 after push 400, as a crash leaves it.
    private func lateArrival() throws -> (TemporaryDirectory, digest: String, values: [Float]) {
        let directory = try TemporaryDirectory()
        let registry = try directory.open(receiptWindow: 1000)
        defer { registry.shutDown() }
        let model = try registry.make(RecoveryTests.momentum, RecoveryTests.parameters)
        for number in 1...40 where number != 5 { try model.push(RecoveryTests.gradients(number), seq(number)) }
        #expect(try model.push(RecoveryTests.gradients(5), seq(5)).step == 40)
        return (try directory.crashImage(), model.digest, model.values())
    }

    @Test("a late push that was acknowledged under a large receipt window is there under a small one")
    func smallerWindow() throws {
        let (directory, _, values) = try lateArrival()
        let registry = try directory.open(receiptWindow: 4)
        defer { registry.shutDown() }
        let model = try registry.model(named: "m")
        #expect(model.publication.current.step == 40)
        #expect(model.values() == values)
        #expect(throws: ServingError.self) { try model.push(RecoveryTests.gradients(6), seq(6)) }
    }

    @Test("a replay counts the receipts for the digest and for nothing else")
    func readHistory() throws {
        let (directory, digest, _) = try lateArrival()
        for (window, isSame) in [(4, false), (1000, true)] {
            let reader = HistoryReader(directory.reading, catalogue: .builtin, receiptWindow: window)
            let image = try #require(try reader.image(of: "m", atStep: nil))
            #expect(image.step == 40 && (image.digest == digest) == isSame)
        }
    }

    @Test("receipts beyond a smaller window are dropped at once, so that every start has the same table")
    func trimming() throws {
        var large = WorkerLedger(window: 100)
        let push = try Sample.model().makePush(["v": [1]])
        let receipt = try #require(Sample.ledger.workers["wörker"]?.entries.first?.receipt)
        for number in 1...50 { large.finish(seq(number), push.fingerprint, receipt) }
        var small = WorkerLedger(window: 4)
        small.restore(workers: large.workers)
        #expect(small.workers["a"]?.entries.map(\.seq) == [47, 48, 49, 50])
        #expect(small.workers["a"]?.forgottenThrough == 46)
    }
}
