// Verify names all damage; salvage keeps the good prefix, moves the rest aside and deletes nothing.

import Glibc
import SimulatedMachine
import Testing

@testable import Journal

@Suite("Verify and salvage")
struct SalvageTests {
    private func damage(_ small: SmallJournal, _ segment: UInt64, at offset: Int) throws {
        var bytes = try #require(small.disk.bytes(of: small.path(segment)))
        bytes[offset] ^= 1
        small.disk.put(small.path(segment), bytes)
    }

    @Test("verify names each damaged file and continues")
    func verifyAll() throws {
        let small = try SmallJournal(sizes: [3000, 3000, 3000, 3000])
        try damage(small, 1, at: 500)
        try damage(small, 3, at: 70)
        let report = try Journal.verify(directory: "/j", on: small.disk)
        let files = report.problems.map { problem -> String in
            guard case .corrupted(let file, let offset, _) = problem else { return "\(problem)" }
            return "\(file)@\(offset)"
        }
        #expect(files.contains("segment-000000000001.journal@64"))
        #expect(files.contains("segment-000000000003.journal@64"))
        #expect(!report.isIntact)
        #expect(report.files.count == 4)
    }

    @Test("an intact journal, and one with a torn tail, have nothing to salvage")
    func nothingToDo() throws {
        let small = try SmallJournal(sizes: [100, 200], sealed: false)
        let before = small.disk.bytes(of: small.path(1))
        #expect(try Journal.salvage(directory: "/j", on: small.disk) == nil)
        var torn = try #require(before)
        torn[SegmentHeader.size + RecordHeader.extent(payload: 100) + 60] ^= 1
        small.disk.put(small.path(1), torn)
        #expect(try Journal.salvage(directory: "/j", on: small.disk) == nil)
        #expect(small.disk.bytes(of: small.path(1)) == torn)
    }

    @Test("salvage keeps the records before the damage; every other byte is still there under a telling name")
    func keepsPrefix() throws {
        let small = try SmallJournal(sizes: [1000, 1000, 1000, 3000, 3000])
        let first = try #require(small.disk.bytes(of: small.path(1)))
        let second = try #require(small.disk.bytes(of: small.path(2)))
        let offset = SegmentHeader.size + RecordHeader.extent(payload: 1000)
        try damage(small, 1, at: offset + 100)
        #expect(throws: JournalError.self) { try SmallJournal.recover(small.disk) }

        let report = try #require(try Journal.salvage(directory: "/j", on: small.disk))
        #expect(report.end == 2)
        #expect(
            report.movedAside == [
                "salvaged-segment-000000000001.journal-from-\(offset)", "salvaged-segment-000000000002.journal",
                "salvaged-segment-000000000003.journal",
            ])
        #expect(try SmallJournal.recover(small.disk).records == Array(small.records.prefix(1)))
        #expect(small.disk.bytes(of: "/j/salvaged-segment-000000000002.journal") == second)
        var rest = Array(first[offset...])
        rest[100] ^= 1
        #expect(small.disk.bytes(of: "/j/salvaged-segment-000000000001.journal-from-\(offset)") == rest)
        // The journal also accepts records again.
        let log = try SmallJournal.open(small.disk) { _ in }
        try log.write([Submission(Record([1]))])
        try log.synchronize()
        #expect(try SmallJournal.recover(small.disk).records.map(\.position) == [1, 2])
    }

    @Test("a segment without a readable header is moved as a whole")
    func badHeader() throws {
        let small = try SmallJournal(sizes: [3000, 3000, 3000])
        try damage(small, 2, at: 20)
        let report = try #require(try Journal.salvage(directory: "/j", on: small.disk))
        #expect(report.movedAside.first == "salvaged-segment-000000000002.journal")
        #expect(try SmallJournal.recover(small.disk).records == Array(small.records.prefix(1)))
    }

    @Test("a salvage that is cut off anywhere can be repeated, and loses no record before the damage")
    func salvageCutOff() throws {
        for call in 1...80 {
            let small = try SmallJournal(sizes: [1000, 1000, 1000, 3000, 3000])
            try damage(small, 1, at: SegmentHeader.size + RecordHeader.extent(payload: 1000) + 100)
            let disk = small.disk.afterKill()
            disk.plan(.powerCut, at: call)
            _ = try? Journal.salvage(directory: "/j", on: disk)
            let after = disk.afterPowerCut(seed: UInt64(call))
            _ = try Journal.salvage(directory: "/j", on: after)
            #expect(try SmallJournal.recover(after).records.first == small.records.first, "call \(call)")
        }
    }

    @Test("salvage refuses a directory that is in use")
    func inUse() throws {
        let place = try TemporaryDirectory()
        let journal = try place.open()
        #expect(throws: JournalError.inUse(processID: Int(getpid()))) { try Journal.salvage(directory: place.path) }
        #expect(throws: JournalError.inUse(processID: Int(getpid()))) { try place.open() }
        journal.close()
        #expect(try Journal.salvage(directory: place.path) == nil)
    }
}
