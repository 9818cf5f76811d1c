// Exactly once, according to the table of pushes: tests each sentence of the paragraph with that name in api.md.

import Names
import Testing

@testable import ParameterServing

@Suite("Worker ledger")
struct WorkerLedgerTests {
    private let print1 = Fingerprint(high: 1, low: 1)
    private let print2 = Fingerprint(high: 2, low: 2)

    private func receipt(_ step: Int, gap: Int = 0) -> Receipt {
        Receipt(
            applied: true, step: step, version: step + 1, learningRates: [0.5, nil], staleness: 0, gradientNorm: 1.5,
            updateRatio: nil, overflow: false, nextLossScale: nil, gap: gap)
    }

    /// A ledger in which worker `a` has pushed 1 to `count`.
    private func ledger(window: Int = 4, pushed count: Int) -> WorkerLedger {
        var ledger = WorkerLedger(window: window)
        for number in stride(from: 1, through: count, by: 1) {
            ledger.begin(seq(number), print1)
            ledger.finish(seq(number), print1, receipt(number))
        }
        return ledger
    }

    @Test("the same key gives the stored receipt and what identifies its push")
    func sameKey() throws {
        #expect(try ledger(pushed: 3).find(seq(2)) == .applied(receipt(2), print1))
    }

    @Test("the number of registered workers follows every change of the table")
    func registeredCount() {
        var ledger = ledger(pushed: 2)
        for worker in ["b", "c", "b"] as [Name] { _ = ledger.register(worker, ttl: 1000) }
        _ = ledger.end(EndedLease(worker: "c", epoch: 2))
        #expect(ledger.registeredCount == 1 && ledger.registered == ["b"])
        ledger.finish(.sequence(worker: "b", epoch: 3, seq: 1), print1, receipt(3))
        _ = ledger.register("c")
        var copy = WorkerLedger(window: 4)
        copy.restore(workers: ledger.workers)
        #expect(ledger.registeredCount == 2 && copy.registeredCount == 2)
        ledger.expire("b")
        ledger.expire("a")
        #expect(ledger.registeredCount == 1 && ledger.registered == ["c"])
    }

    @Test("a key that was logged and not applied yet is pending, with its own fingerprint")
    func pending() throws {
        var ledger = ledger(pushed: 1)
        ledger.begin(seq(2), print2)
        #expect(try ledger.find(seq(2)) == .pending(print2))
        ledger.abandon(seq(2))
        #expect(try ledger.find(seq(2)) == .new(gap: 0))
    }

    @Test("a number that jumps is new and tells how many were left out")
    func gap() throws {
        let ledger = ledger(pushed: 3)
        #expect(try ledger.find(seq(4)) == .new(gap: 0))
        #expect(try ledger.find(seq(9)) == .new(gap: 5))
        #expect(try ledger.find(seq(3, "fresh")) == .new(gap: 2))
    }

    @Test("a number that was left out may still come as long as it is inside the window")
    func outOfOrder() throws {
        var ledger = ledger(window: 4, pushed: 1)
        ledger.finish(seq(4), print1, receipt(2, gap: 2))
        #expect(try ledger.find(seq(2)) == .new(gap: 0))
        ledger.finish(seq(2), print1, receipt(3))
        #expect(try ledger.find(seq(3)) == .new(gap: 0))
        #expect(try ledger.find(seq(4)) == .applied(receipt(2, gap: 2), print1))
        #expect(ledger.workers["a"]?.lastSeq == 4)
    }

    @Test("a number older than the window is refused forever, applied or not")
    func olderThanWindow() throws {
        let ledger = ledger(window: 4, pushed: 10)
        #expect(try ledger.find(seq(7)) == .applied(receipt(7), print1))
        for number in 1...6 {
            #expect(throws: ServingError.receiptForgotten(worker: "a", seq: number, oldest: 7, last: 10)) {
                try ledger.find(seq(number))
            }
        }
    }

    @Test("an epoch that is not the current one is fenced, older or newer")
    func fenced() throws {
        var ledger = ledger(pushed: 3)
        #expect(ledger.register("a") == 1)
        #expect(throws: ServingError.fenced(worker: "a", epoch: 0, current: 1)) { try ledger.find(seq(4)) }
        #expect(throws: ServingError.fenced(worker: "a", epoch: 2, current: 1)) { try ledger.find(seq(1, epoch: 2)) }
        #expect(throws: ServingError.fenced(worker: "b", epoch: 1, current: 0)) {
            try ledger.find(seq(1, "b", epoch: 1))
        }
        #expect(try ledger.find(seq(1, epoch: 1)) == .new(gap: 0))
        #expect(ledger.workers["a"]?.lastSeq == 0)
        let hasEnded = ledger.end(EndedLease(worker: "a", epoch: 1))
        #expect(hasEnded)
        for epoch in [0, 2] {
            #expect(throws: ServingError.fenced(worker: "a", epoch: epoch, current: 1, hasEnded: true)) {
                try ledger.find(seq(1, epoch: epoch))
            }
        }
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
            try ledger.find(seq(1, epoch: 1))
        }
    }

    @Test("a push in progress stays in progress when its worker registers again")
    func registeredMeanwhile() throws {
        var ledger = ledger(pushed: 1)
        ledger.begin(seq(2), print1)
        _ = ledger.register("a")
        #expect(try ledger.find(seq(2)) == .pending(print1))
        ledger.abandon(seq(2))
        #expect(throws: ServingError.self) { try ledger.find(seq(2)) }
    }

    @Test("workers beyond the limit are refused, those that are known are not")
    func mostWorkers() throws {
        var ledger = WorkerLedger(window: 4, mostWorkers: 2)
        ledger.finish(seq(1, "a"), print1, receipt(1))
        #expect(ledger.register("b") == 1)
        #expect(throws: ServingError.tooManyWorkers(limit: 2)) { try ledger.find(seq(1, "c")) }
        #expect(throws: ServingError.tooManyWorkers(limit: 2)) { try ledger.checkRoom(for: "c") }
        #expect(try ledger.find(seq(2, "a")) == .new(gap: 0))
        #expect(ledger.register("b") == 2)
    }

    @Test("the gap of a push depends on what was applied before it, not on pushes in progress")
    func gapIsDeterministic() throws {
        var live = ledger(pushed: 1)
        live.begin(seq(3), print1)
        live.begin(seq(2), print1)
        // The log has 3 before 2; when 3 is applied, 2 is still in progress. A replay has nothing in progress.
        live.abandon(seq(3))
        let replayed = ledger(pushed: 1)
        #expect(try live.find(seq(3)) == replayed.find(seq(3)))
    }
}
