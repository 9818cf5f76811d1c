// What receipts say about the age of a gradient: it comes back from images, and the oldest receipts are as before.

import Names
import Optimizers
import Testing

@testable import ParameterServing

@Suite("Receipts of stale pushes")
struct StalenessReceiptTests {
    private static func receipt(_ number: Int, staleness: Int?, isDivided: Bool, _ round: RoundReceipt?) -> Receipt {
        var receipt = Receipt(
            applied: true, step: number, version: number, learningRates: [0.5], staleness: staleness, gradientNorm: 5,
            updateRatio: nil, overflow: false, nextLossScale: nil, gap: 7)
        (receipt.isDivided, receipt.round) = (isDivided, round)
        return receipt
    }

    private static func dropped(_ reason: DropReason, needed: Int? = nil) -> RoundReceipt {
        RoundReceipt(state: .dropped(reason), step: 3, received: 1, needed: needed)
    }

    @Test(
        "come back entry for entry",
        arguments: [
            (nil, false, nil), (0, false, nil), (3, true, nil), (nil, false, dropped(.diverged)),
            (2, false, dropped(.overflow)), (nil, false, dropped(.timeout, needed: 2)),
        ] as [(Int?, Bool, RoundReceipt?)])
    func ledger(_ staleness: Int?, _ isDivided: Bool, _ round: RoundReceipt?) throws {
        var ledger = WorkerLedger(window: 2)
        let receipt = Self.receipt(1, staleness: staleness, isDivided: isDivided, round)
        ledger.finish(seq(1), Fingerprint(high: 1, low: 1), receipt)
        var writer = ByteWriter()
        writer.write(workers: ledger.workers)
        let copy = try parse(writer.bytes) { reader throws(FormatError) in try reader.readLedger() }
        #expect(copy.workers.values.flatMap { $0.entries.map(\.receipt) } == [receipt])
        #expect(receipt.divisor == (isDivided ? 4 : nil))
    }

    @Test("of a held push come back from an image: unknown stays unknown", arguments: [nil, 0] as [Int?])
    func held(_ base: Int?) throws {
        let assembly = ModelAssembly(ServingConfiguration(memoryLimit: 1 << 20, threads: 0), .builtin)
        let settings: SettingValue = ["optimizer": "sgd", "learning_rate": 1, "consistency": ["mode": "manual"]]
        var model = try assembly.assemble("m", ModelUID(number: 1), .definition(.of(settings, [("w", [3, 4])])))
        model.begin(at: 1)
        _ = model.apply(.push(try model.makePush(["w": [1, 1]], seq(1), basedOn: base.map { .step($0) })), at: 2)
        let head = try ImageSource.of(model.view.bytes).head().head
        let round = try head.round.read(in: model.layout, model.pool) { _ in false }
        #expect(round.held.map(\.staleness) == [base])
        #expect(head.workers.values.flatMap { $0.entries.map(\.receipt.staleness) } == [base])
    }
}
