// Epochs: one counter for all workers of a model, so that a forgotten worker's epoch is never reused; and the logs
// of earlier releases, which counted for each worker, replay as they were.

import Names
import Testing

@testable import ParameterServing

@Suite("Epochs")
struct EpochTests {
    private static let print = Fingerprint(high: 1, low: 1)

    private func old(_ worker: Name, in ledger: inout WorkerLedger) -> Int {
        ledger.register(Registration(worker: worker, isCounted: false))
    }

    @Test("all workers of a model draw their epochs from one counter")
    func counter() {
        var ledger = WorkerLedger(window: 4)
        #expect(["a", "b", "a", "c"].map { ledger.register($0) } == [1, 2, 3, 4])
    }

    @Test("records of earlier releases count for each worker, and the counter starts above all of them")
    func uncounted() {
        var ledger = WorkerLedger(window: 4)
        #expect([old("a", in: &ledger), old("b", in: &ledger), old("a", in: &ledger)] == [1, 1, 2])
        #expect(ledger.register("b") == 3)
        #expect(ledger.register("a") == 4)
    }

    @Test("an old epoch stays fenced when its worker is forgotten, and when it is registered again")
    func forgotten() throws {
        var ledger = WorkerLedger(window: 4)
        let epoch = ledger.register("a")
        ledger.expire("a")
        for seq in [1, 2] {
            #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
                try ledger.find(.sequence(worker: "a", epoch: epoch, seq: seq))
            }
            #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
                try ledger.findLogged(.sequence(worker: "a", epoch: epoch, seq: seq))
            }
        }
        // Enough others leave that nothing is known about `a`.
        for number in 0...ServingConfiguration.expiredWorkers {
            _ = ledger.register(Name("w\(number)"), seen: Sighting(time: 5))
            ledger.expire(Name("w\(number)"))
        }
        #expect(ledger.expired["a"] == nil && ledger.expired.count == ServingConfiguration.expiredWorkers)
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 0)) { try ledger.find(seq(1, epoch: 1)) }
        #expect(ledger.register("a") == ServingConfiguration.expiredWorkers + 3)
        #expect(throws: ServingError.self) { try ledger.find(seq(1, epoch: 1)) }
    }

    @Test("an unregistered worker that nothing is known of gets a gap for the numbers before its push")
    func gap() throws {
        var ledger = WorkerLedger(window: 4)
        #expect(try ledger.find(seq(5)) == .new(gap: 4))
        ledger.finish(seq(5), Self.print, .sample)
        ledger.expire("a")
        #expect(try ledger.find(seq(6)) == .new(gap: 0))
        #expect(throws: ServingError.receiptForgotten(worker: "a", seq: 5, oldest: nil, last: 5)) {
            try ledger.find(seq(5))
        }
    }

    @Test("a log in which a forgotten worker continued with its epoch replays; now that is refused")
    func wentOn() throws {
        var ledger = WorkerLedger(window: 4)
        #expect(old("a", in: &ledger) == 1)
        ledger.finish(seq(1, epoch: 1), Self.print, .sample)
        ledger.expire("a")
        #expect(try ledger.findLogged(seq(2, epoch: 1)) == .new(gap: 0))
        #expect(throws: ServingError.fenced(worker: "a", epoch: 1, current: 1, hasEnded: true)) {
            try ledger.find(seq(2, epoch: 1))
        }
    }

    @Test("the counter comes back from an image, and from an image of an earlier release it starts above all epochs")
    func images() throws {
        var state = try Sample.model()
        for (position, name) in zip(4..., ["a", "b", "a", "b", "b"] as [Name]) {
            _ = state.apply(.registerUncounted(name), at: UInt64(position))
        }
        let earlier = state.view.ofEarlierRelease.bytes
        #expect(earlier[8] == 2, "a model without counted epochs has the image of before")
        let old = try ImageSource.of(earlier).head().head
        #expect(old.epochs == EpochCounter(last: 3, firstCounted: nil))
        _ = state.apply(.register(worker: "c"), at: 9)
        _ = state.apply(.dismiss(worker: "c"), at: 10)
        let new = try ImageSource.of(state.view.bytes).head().head
        #expect(new.epochs == EpochCounter(last: 4, firstCounted: 4))
        var next = try Sample.model()
        try next.adopt(new)
        #expect(throws: ServingError.fenced(worker: "c", epoch: 4, current: 4, hasEnded: true)) {
            try next.ledger.findLogged(.sequence(worker: "c", epoch: 4, seq: 1))
        }
        #expect(next.ledger.register("d") == 5)
    }

    @Test("epochs that lost records may have given are not reused")
    func salvage() throws {
        var state = try Sample.model()
        _ = state.apply(.register(worker: "a"), at: 4)
        state.skip(versions: 1000, at: 5)
        #expect(state.ledger.register("b") == 1002)
    }

    @Test("a full table has room as soon as a lease has run out; a running lease keeps its place")
    func room() {
        var ledger = WorkerLedger(window: 4, mostWorkers: 2, lifetime: 100)
        let epoch = ledger.register("leased", ttl: 1000, seen: Sighting(time: 1))
        _ = ledger.register("young", seen: Sighting(time: 900))
        #expect(ledger.roomMaker(for: "c", at: 950) == nil)
        let ended = (1...2).map { _ in ledger.end(EndedLease(worker: "leased", epoch: epoch)) }
        #expect(ended == [true, false], "a lease ends once")
        #expect(ledger.roomMaker(for: "c", at: 951) == "leased")
    }
}

extension Receipt {
    fileprivate static let sample = Receipt(
        applied: true, step: 1, version: 2, learningRates: [0.5], staleness: 0, gradientNorm: 1, updateRatio: nil,
        overflow: false, nextLossScale: nil, gap: 0)
}
