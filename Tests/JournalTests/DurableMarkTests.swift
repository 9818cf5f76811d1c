// Missing data: the newest segment removed, truncated or replaced by an older copy. A start either has everything
// acknowledged, or refuses, says how much is missing and changes nothing; verify reports the same.

import Glibc
import SimulatedMachine
import Testing

@testable import Journal

@Suite("Durable mark")
struct DurableMarkTests {
    private static let mark = SmallJournal.directory + "/" + FileName.durable
    private static let sizes = [100, 1, 700, 33, 1500, 2000, 8, 5, 900, 1200]

    /// Ten acknowledged records in three segments, as a kill or a clean stop leaves them.
    private static func journal(sealed: Bool) throws -> SmallJournal {
        try SmallJournal(sizes: sizes, sealed: sealed, marked: true)
    }

    /// Whether a start either has everything or refuses for good, and verify agrees; false means that data was lost
    /// silently.
    private func holds(_ disk: SimulatedDisk, _ small: SmallJournal) throws -> Bool {
        let problems = try Journal.verify(directory: "/j", on: disk).problems
        let before = disk.paths.map { disk.bytes(of: $0) }
        do {
            let found = try SmallJournal.recover(disk)
            return found.records == small.records && problems.isEmpty
        } catch {
            guard case .corrupted = error, problems.contains(error) else { return false }
            return disk.paths.map { disk.bytes(of: $0) } == before
        }
    }

    @Test(
        "the newest segment removed, cut at any byte or with any bit flipped is whole or refused",
        arguments: [false, true])
    func newestSegment(sealed: Bool) throws {
        let small = try Self.journal(sealed: sealed)
        let bytes = try #require(small.disk.bytes(of: small.path(3)))
        #expect(small.disk.bytes(of: small.path(4)) == nil)
        let used = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        var damages: [[UInt8]] = sweep(0..<used).map { Array(bytes[..<$0]) }
        for bit in sweep(0..<used * 8) {
            damages.append(bytes)
            damages[damages.count - 1][bit / 8] ^= 1 << (bit % 8)
        }
        var silent = 0
        for damage in damages {
            let disk = small.disk.afterKill()
            disk.put(small.path(3), damage)
            if try !holds(disk, small) { silent += 1 }
        }
        #expect(silent == 0, "of \(damages.count)")
        try small.disk.remove(small.path(3))
        #expect(try holds(small.disk, small))
    }

    @Test("an old copy of the journal's segments is refused at any age, and the number of missing records is reported")
    func oldCopy() throws {
        let whole = try Self.journal(sealed: false)
        for count in 0..<Self.sizes.count {
            let old = try SmallJournal(sizes: Array(Self.sizes[..<count]), sealed: false)
            old.disk.put(Self.mark, try #require(whole.disk.bytes(of: Self.mark)))
            let missing = Self.sizes.count - count
            do {
                _ = try SmallJournal.recover(old.disk)
                Issue.record("a copy with \(count) records was taken for the journal")
            } catch {
                let words = "\(missing) acknowledged record\(missing == 1 ? " is" : "s are") missing"
                #expect("\(error)".contains(words), "\(error)")
            }
        }
    }

    @Test("a segment that was followed proves its successor, whatever a power cut took of the mark")
    func successor() throws {
        var tried = 0
        for seed in UInt64(0)..<200 {
            let small = try Self.journal(sealed: false)
            let disk = small.disk.afterPowerCut(seed: seed)
            #expect(try SmallJournal.recover(disk.afterKill()).records == small.records, "seed \(seed)")
            try disk.remove(small.path(3))
            #expect(throws: JournalError.self, "seed \(seed)") { try SmallJournal.recover(disk) }
            tried += 1
        }
        #expect(tried == 200)
    }

    @Test("salvage gives up what is missing, and says that the number is unknown")
    func salvage() throws {
        let small = try Self.journal(sealed: false)
        try small.disk.remove(small.path(3))
        let report = try #require(try Journal.salvage(directory: "/j", on: small.disk))
        #expect(report.movedAside == [FileName.salvaged + FileName.durable])
        #expect(report.bytes == nil)
        let found = try SmallJournal.recover(small.disk).records
        #expect(!found.isEmpty && found == Array(small.records.prefix(found.count)))
        #expect(try Journal.salvage(directory: "/j", on: small.disk) == nil)
        #expect(try Journal.verify(directory: "/j", on: small.disk).isIntact)
    }

    @Test("a directory of an earlier build has no mark: it opens, and has one from then on")
    func earlier() throws {
        let small = try SmallJournal(sizes: Self.sizes, sealed: false)
        #expect(small.disk.bytes(of: Self.mark) == nil)
        #expect(try SmallJournal.recover(small.disk).records == small.records)
        #expect(small.disk.bytes(of: Self.mark) != nil)
        try small.disk.remove(small.path(3))
        #expect(throws: JournalError.self) { try SmallJournal.recover(small.disk) }
    }

    @Test("a flipped bit of the mark is made up for by its other blocks; one that is no mark is refused and salvaged")
    func damagedMark() throws {
        let small = try Self.journal(sealed: false)
        let bytes = try #require(small.disk.bytes(of: Self.mark))
        for byte in bytes.indices where byte % 4096 < 64 {
            let disk = small.disk.afterKill()
            var damaged = bytes
            damaged[byte] ^= 1
            disk.put(Self.mark, damaged)
            #expect(try Journal.verify(directory: "/j", on: disk).isIntact, "byte \(byte)")
            #expect(try SmallJournal.recover(disk).records == small.records, "byte \(byte)")
        }
        for size in [0, 27, 4096, bytes.count - 1] {
            let disk = small.disk.afterKill()
            disk.put(Self.mark, Array(bytes[..<size]))
            #expect(throws: JournalError.self) { try SmallJournal.recover(disk) }
            #expect(try Journal.verify(directory: "/j", on: disk).problems.count == 1)
            let report = try #require(try Journal.salvage(directory: "/j", on: disk))
            #expect(report.movedAside == [FileName.salvaged + FileName.durable] && report.bytes == nil)
            #expect(try SmallJournal.recover(disk).records == small.records)
        }
    }

    @Test("a mark that is removed under the journal is made again")
    func removedMark() throws {
        let directory = try TemporaryDirectory()
        let journal = try directory.open()
        _ = try journal.appendAndWait(Record([1]))
        try #require(unlink("\(directory.path)/\(FileName.durable)") == 0)
        _ = try journal.appendAndWait(Record([2]))
        journal.close()
        let mark = try DurableMark(Directory(directory.path, on: POSIXFileSystem()))
        #expect(mark.found == DurableEnd(segment: 1, position: 3))
    }
}
