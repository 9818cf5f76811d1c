// Records read back while the writer runs, positions that were skipped or deleted, and the directories that open
// refuses.

import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Reading")
struct ReadingTests {
    private func positions(_ journal: Journal, from start: UInt64 = 1, upTo end: UInt64? = nil) throws -> [UInt64] {
        var found: [UInt64] = []
        try journal.read(from: start, upTo: end) { found.append($0.position) }
        return found
    }

    @Test("a range of records is read while the journal is open, across segments")
    func range() throws {
        let place = try TemporaryDirectory()
        let journal = try place.open(JournalSettings(segmentBytes: 4096))
        for number in 0..<20 { _ = try journal.appendAndWait(Record([UInt8](repeating: UInt8(number), count: 900))) }
        #expect(try positions(journal) == Array(1...20))
        #expect(try positions(journal, from: 7, upTo: 12) == Array(7...11))
        #expect(try positions(journal, from: 20) == [20])
        #expect(try positions(journal, from: 21).isEmpty)
        var offline: [UInt64] = []
        try Journal.read(directory: place.path, from: 18) { offline.append($0.position) }
        #expect(offline == [18, 19, 20])
        journal.close()
    }

    @Test("deleting segments keeps every record from the position on, and the journal opens from there")
    func delete() throws {
        let place = try TemporaryDirectory()
        let settings = JournalSettings(segmentBytes: 4096)
        let journal = try place.open(settings)
        for number in 0..<20 { _ = try journal.appendAndWait(Record([UInt8](repeating: UInt8(number), count: 900))) }
        #expect(try journal.deleteSegments(before: 1) == 0)
        #expect(try journal.deleteSegments(before: 11) > 0)
        let first = try #require(try Journal.firstSegment(directory: place.path))
        #expect(first.number > 1 && first.position > 1 && first.position <= 11)
        #expect(try positions(journal, from: 11) == Array(11...20))
        #expect(try journal.deleteSegments(before: .max) > 0)
        _ = try journal.appendAndWait(Record([1]))
        journal.close()
        var found: [UInt64] = []
        try place.open(settings, from: 20) { found.append($0.position) }.close()
        #expect(found.suffix(1) == [21] && found.allSatisfy { $0 >= 20 })
    }

    @Test("a record longer than a segment gets its own and comes back between its neighbours")
    func oversize() throws {
        let place = try TemporaryDirectory()
        let settings = JournalSettings(segmentBytes: 4096)
        let journal = try place.open(settings)
        var random = SeededGenerator(seed: 9)
        let payloads = [10, 100_000, 20, 3_000_000, 30].map { [UInt8].random(count: $0, using: &random) }
        for payload in payloads { _ = try journal.appendAndWait(Record(payload)) }
        journal.close()
        var found: [Copy] = []
        try place.open(settings) { found.append(Copy($0)) }.close()
        #expect(found.map(\.payload.count) == payloads.map(\.count))
        #expect(found.map(\.payload) == payloads)
    }

    @Test("what a live journal is writing, cutting and deleting is never taken for damage")
    func live() throws {
        let place = try TemporaryDirectory()
        let journal = try place.open(JournalSettings(segmentBytes: 8192))
        let running = Locked(3)
        let writers = (0..<3).compactMap { number in
            Thread {
                for count in 0..<200 {
                    _ = try? journal.appendAndWait(Record([UInt8](repeating: UInt8(number), count: count * 7 % 900)))
                    if number == 0 && count > 100 && count % 20 == 19 {
                        _ = try? journal.deleteSegments(before: journal.nextPosition - 150)
                    }
                }
                running.withLock { $0 -= 1 }
            }
        }
        #expect(writers.count == 3)
        while running.withLock({ $0 }) > 0 {
            for problem in try Journal.verify(directory: place.path).problems { Issue.record(problem) }
            let start = journal.nextPosition
            try Journal.read(directory: place.path, from: start) { #expect($0.position >= start) }
        }
        for writer in writers { writer.join() }
        journal.close()
        #expect(try Journal.verify(directory: place.path).isIntact)
    }

    @Test("payloads start at a multiple of 8 bytes")
    func alignment() throws {
        let small = try SmallJournal(sizes: [1, 2, 3, 4, 5, 6, 7, 8, 9])
        let log = try SmallJournal.open(small.disk) { record in
            #expect(Int(bitPattern: record.payload.baseAddress) % 8 == 0)
        }
        log.close()
    }

    @Test("positions that a snapshot covers are not reused, though the journal lost their records")
    func resume() throws {
        let small = try SmallJournal(sizes: [100, 100], sealed: false)
        let open = { (resume: UInt64, replay: (StoredRecord) throws -> Void) throws(JournalError) -> Journal in
            try Journal.open(
                directory: "/j", on: small.disk, settings: JournalSettings(segmentBytes: 4096), resumingAt: resume,
                replay: replay)
        }
        let journal = try open(8) { _ in }
        #expect(journal.recovery.lostPositions == 5)
        #expect(try journal.appendAndWait(Record([1])).position == 8)
        journal.close()
        var found: [UInt64] = []
        let again = try open(8) { found.append($0.position) }
        #expect(found == [1, 2, 8] && again.recovery.lostPositions == 0)
        again.close()
        #expect(try Journal.verify(directory: "/j", on: small.disk).isIntact)
    }

    @Test("a segment of another journal is refused, though its number and positions fit")
    func foreignSegment() throws {
        let one = try SmallJournal(sizes: [3000, 3000, 3000])
        let other = try SmallJournal(sizes: [3000, 2900, 3000])
        one.disk.put(one.path(3), try #require(other.disk.bytes(of: other.path(3))))
        #expect(throws: JournalError.self) { try SmallJournal.recover(one.disk) }
        #expect(try !Journal.verify(directory: "/j", on: one.disk).isIntact)
    }

    @Test("a replay that throws ends the open, names the record and releases the directory")
    func refusal() throws {
        struct Refusal: Error {}
        let place = try TemporaryDirectory()
        let journal = try place.open()
        for _ in 0..<3 { _ = try journal.appendAndWait(Record([1])) }
        journal.close()
        #expect(throws: JournalError.replayRefused(position: 2, reason: "Refusal()")) {
            try place.open { if $0.position == 2 { throw Refusal() } }
        }
        var count = 0
        try place.open { _ in count += 1 }.close()
        #expect(count == 3)
    }

    @Test("a directory that cannot be made is reported as such")
    func noDirectory() {
        #expect(throws: JournalError.self) { try Journal.open(directory: "/dev/null/journal") { _ in } }
    }
}
