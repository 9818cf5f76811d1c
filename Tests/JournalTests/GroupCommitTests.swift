// When an append counts as done in each mode, and the order of the callbacks. The simulated disk can block a sync, so
// nothing here depends on time.

import Glibc
import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Group commit")
struct GroupCommitTests {
    /// A disk on which syncs wait for `open` while the gate is shut.
    private final class Gate: Sendable {
        let disk = SimulatedDisk()
        private let isShut = Locked(false)
        private let arrivals = Locked(0)
        private let arrival = Condition()

        init() {
            disk.watch { [isShut, arrivals, arrival] name in
                guard name == "fdatasync" else { return }
                arrivals.withLock { $0 += 1 }
                arrival.signal()
                while isShut.withLock({ $0 }) { usleep(200) }
            }
        }

        func shut() { isShut.withLock { $0 = true } }
        func open() { isShut.withLock { $0 = false } }
        var syncs: Int { arrivals.withLock { $0 } }

        func waitForSync(number: Int) {
            arrivals.wait(for: arrival) { $0 >= number ? () : nil }
        }
    }

    private func open(_ disk: SimulatedDisk, _ mode: JournalMode, batchBytes: Int = 8 << 20) throws -> Journal {
        try Journal.open(
            directory: "/j", on: disk,
            settings: JournalSettings(mode: mode, segmentBytes: 1 << 20, batchBytes: batchBytes)
        ) { _ in }
    }

    /// The positions of acknowledged records in the order of their callbacks.
    private final class Order: Sendable {
        private let positions = Locked<[UInt64]>([])
        private let growth = Condition()

        func add(_ position: UInt64) {
            positions.withLock { $0.append(position) }
            growth.signal()
        }

        func wait(for count: Int) -> [UInt64] { positions.wait(for: growth) { $0.count == count ? $0 : nil } }
    }

    /// Shuts the gate, appends one record, waits until its sync has begun, and appends `count` more after it.
    private func gather(_ count: Int, behind gate: Gate, _ journal: Journal) -> Order {
        let order = Order()
        gate.shut()
        let before = gate.syncs
        for index in 0...count {
            if index == 1 { gate.waitForSync(number: before + 1) }
            journal.append(Record([UInt8(index % 256)])) { result in
                let position = try? result.get().position
                order.add(position ?? 0)
            }
        }
        return order
    }

    @Test("what arrives during a sync shares the next one, and callbacks keep the order")
    func batch() throws {
        let gate = Gate()
        let journal = try open(gate.disk, .group)
        let order = gather(100, behind: gate, journal)
        let before = gate.disk.log.filter { $0 == "fdatasync" }.count
        let writes = gate.disk.log.filter { $0 == "pwritev" }.count
        gate.open()
        let positions = order.wait(for: 101)
        #expect(positions == Array(1...101))
        journal.close()
        // One sync for the first record and one for the hundred, then idle preparation and the seal; after each sync, a
        // write of the durable end.
        let log = Array(gate.disk.log.filter { $0 == "fdatasync" || $0 == "pwritev" }.dropFirst(before + writes))
        #expect(log.prefix(5) == ["fdatasync", "pwritev", "pwritev", "fdatasync", "pwritev"])
    }

    @Test("mode sync gives each record a sync of its own")
    func syncMode() throws {
        let gate = Gate()
        let journal = try open(gate.disk, .sync)
        let order = gather(9, behind: gate, journal)
        let before = gate.syncs
        gate.open()
        _ = order.wait(for: 10)
        #expect(gate.syncs >= before + 9)
        journal.close()
    }

    @Test("a batch stops at its byte limit")
    func batchLimit() throws {
        let gate = Gate()
        // Each record takes 56 bytes, so two fit into 120.
        let journal = try open(gate.disk, .group, batchBytes: 120)
        let order = gather(8, behind: gate, journal)
        let before = gate.syncs
        gate.open()
        _ = order.wait(for: 9)
        #expect(gate.syncs >= before + 4)
        journal.close()
    }

    @Test("mode none calls back before any sync, and flush makes all durable")
    func noneMode() throws {
        let disk = SimulatedDisk()
        let journal = try open(disk, .none)
        let synced = journal.syncedPosition
        #expect(try journal.appendAndWait(Record([1])) == Acknowledgement(position: 1, isDurable: false))
        #expect(journal.syncedPosition == synced)
        #expect(try journal.flush() == 2)
        #expect(journal.syncedPosition == 2)
        journal.close()
    }

    @Test("mode interval calls back before the sync, which follows automatically")
    func intervalMode() throws {
        let journal = try open(SimulatedDisk(), .interval(milliseconds: 20))
        #expect(try journal.appendAndWait(Record([1])) == Acknowledgement(position: 1, isDurable: false))
        let deadline = Clock.now + 60_000_000_000
        while journal.syncedPosition < 2 && Clock.now < deadline { usleep(1000) }
        #expect(journal.syncedPosition == 2)
        journal.close()
    }

    @Test("records of 16 threads come back once each, those of a thread in its order")
    func manyThreads() throws {
        let place = try TemporaryDirectory()
        let journal = try place.open()
        let threads = (0..<16).compactMap { number in
            Thread {
                for count in 0..<100 { _ = try? journal.appendAndWait(Record([UInt8(number), UInt8(count)])) }
            }
        }
        #expect(threads.count == 16)
        for thread in threads { thread.join() }
        journal.close()
        var seen = [UInt8](repeating: 0, count: 16)
        try place.open { record in
            let thread = Int(record.payload[0])
            #expect(record.payload[1] == seen[thread])
            seen[thread] += 1
        }.close()
        #expect(seen == [UInt8](repeating: 100, count: 16))
    }

    @Test("a payload is kept alive until its callback has run, then released")
    func ownership() throws {
        final class Owner: Sendable {}
        let journal = try open(SimulatedDisk(), .group)
        let answer = Promise<Bool>()
        weak var watched: Owner?
        do {
            let owner = Owner()
            watched = owner
            journal.append(
                Record(type: 1, payload: [Bytes(UnsafeRawBufferPointer(start: nil, count: 0), owner: owner)])
            ) {
                _ in answer.fulfil(true)
            }
        }
        #expect(answer.wait())
        let deadline = Clock.now + 60_000_000_000
        while watched != nil && Clock.now < deadline { usleep(1000) }
        #expect(watched == nil)
        journal.close()
    }

    @Test("after close, appends and flushes are refused at once")
    func closed() throws {
        let journal = try open(SimulatedDisk(), .group)
        journal.close()
        journal.close()
        #expect(throws: JournalError.closed) { try journal.appendAndWait(Record([1])) }
        #expect(throws: JournalError.closed) { try journal.flush() }
    }
}
