// What a start knows of records that were acknowledged before their sync and lost in a power cut: how many numbers it
// must skip, so that no number that was shown returns with other content.

import SimulatedMachine
import Testing

@testable import Journal

@Suite("Position mark")
struct PositionMarkTests {
    private static let settings = JournalSettings(mode: .none, segmentBytes: 4096)

    private static func open(_ disk: SimulatedDisk, _ settings: JournalSettings = settings) throws -> Journal {
        try Journal.open(directory: "/j", on: disk, settings: settings) { _ in }
    }

    /// Appends until the power fails; returns the last position that was acknowledged.
    private static func appendUntilCut(_ journal: Journal) -> UInt64 {
        var last: UInt64 = 0
        for number in 0..<60 {
            guard let acknowledgement = try? journal.appendAndWait(Record([UInt8(number)])) else { break }
            last = acknowledgement.position
        }
        return last
    }

    /// The first position that cannot have been shown, according to the start.
    private static func firstUnshown(_ journal: Journal) -> UInt64 {
        journal.nextPosition - journal.recovery.lostPositions + journal.recovery.unprovenPositions
    }

    @Test(
        "no position that was acknowledged is taken for unused after a power cut, whatever the cut keeps",
        arguments: [JournalMode.none, .interval(milliseconds: 1)])
    func acknowledgedAreRuledOut(mode: JournalMode) throws {
        var lost = 0
        for seed in UInt64(0)..<200 {
            var random = SeededGenerator(seed: seed)
            let disk = SimulatedDisk()
            let settings = JournalSettings(mode: mode, segmentBytes: 4096)
            disk.plan(.powerCut, at: Int.random(in: 12...70, using: &random))
            guard let journal = try? Self.open(disk, settings) else { continue }
            let acknowledged = Self.appendUntilCut(journal)
            journal.close()
            let again = try Self.open(disk.afterPowerCut(seed: seed), settings)
            defer { again.close() }
            #expect(Self.firstUnshown(again) > acknowledged, "seed \(seed)")
            if again.nextPosition <= acknowledged { lost += 1 }
        }
        #expect(lost > 20, "the cuts have to take acknowledged records, or nothing is tested")
    }

    @Test("a journal that was closed cleanly rules nothing out, nor does one that waits for each sync")
    func nothingIsLeftOut() throws {
        let disk = SimulatedDisk()
        let journal = try Self.open(disk)
        _ = try journal.appendAndWait(Record([1]))
        journal.close()
        let closed = try Self.open(disk.afterPowerCut(seed: 1))
        #expect(closed.recovery.unprovenPositions == 0)
        closed.close()

        let synced = SimulatedDisk()
        let group = try Self.open(synced, JournalSettings(segmentBytes: 4096))
        _ = try group.appendAndWait(Record([1]))
        let killed = synced.afterKill()
        group.close()
        let again = try Self.open(killed)
        #expect(again.recovery.unprovenPositions == 0)
        again.close()
    }

    @Test("after a kill in a mode without syncs, the numbers up to the mark are left out once, and then no more")
    func leftOutOnce() throws {
        let disk = SimulatedDisk()
        let journal = try Self.open(disk)
        _ = try journal.appendAndWait(Record([1]))
        let killed = disk.afterKill()
        journal.close()
        let group = try Self.open(killed, JournalSettings(segmentBytes: 4096))
        #expect(group.recovery.unprovenPositions == PositionMark.stride)
        _ = try group.appendAndWait(Record([2]))
        let killedAgain = killed.afterKill()
        group.close()
        let last = try Self.open(killedAgain, JournalSettings(segmentBytes: 4096))
        #expect(last.recovery.unprovenPositions == 0)
        last.close()
    }

    @Test("a damaged mark is refused by a start, found by verify and moved aside by a salvage")
    func damage() throws {
        let place = try TemporaryDirectory()
        try place.open(JournalSettings(mode: .none)) { _ in }.close()
        let journal = try place.open(JournalSettings(mode: .none))
        _ = try journal.appendAndWait(Record([1]))
        journal.close()
        let whole = try place.read(FileName.mark)
        for byte in whole.indices {
            var damaged = whole
            damaged[byte] ^= 0x10
            try place.write(damaged, to: FileName.mark)
            #expect(throws: JournalError.self) { try place.open() }
            #expect(try Journal.verify(directory: place.path).problems.count == 1)
        }
        let report = try #require(try Journal.salvage(directory: place.path))
        #expect(report.movedAside == [FileName.salvaged + FileName.mark])
        #expect(report.bytes == nil)
        try place.open().close()
    }
}
