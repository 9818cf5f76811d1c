// A full disk refuses appends, keeps its content, and accepts appends again once there is space: on the simulated disk
// and, if the test may mount one, on a small tmpfs.

import Glibc
import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Full disk")
struct DiskFullTests {
    /// Appends until the disk is full; returns the payloads that were acknowledged.
    private func fill(_ journal: Journal, size: Int) throws -> Int {
        var count = 0
        while count < 10_000 {
            do throws(JournalError) {
                _ = try journal.appendAndWait(Record([UInt8](repeating: UInt8(count % 250), count: size)))
                count += 1
            } catch {
                guard case .outOfSpace = error else { throw error }
                return count
            }
        }
        throw JournalError.closed
    }

    @Test("appends fail while the disk is full and work again without a restart")
    func heals() throws {
        let disk = SimulatedDisk()
        disk.limit(to: 40_000)
        let journal = try Journal.open(
            directory: "/j", on: disk, settings: JournalSettings(segmentBytes: 8192)
        ) { _ in }
        let before = try fill(journal, size: 1000)
        #expect(before >= 20)
        #expect(journal.failure == nil)
        #expect(throws: JournalError.self) { try journal.appendAndWait(Record([UInt8](repeating: 1, count: 9000))) }
        #expect(journal.obstacle == .outOfSpace(file: FileName.ahead))
        disk.limit(to: 80_000)
        for _ in 0..<6000 where journal.obstacle != nil { usleep(10_000) }
        #expect(journal.obstacle == nil)
        let after = try fill(journal, size: 1000)
        #expect(after >= 20)
        // Deleting segments that are no longer needed makes room too.
        #expect(try journal.deleteSegments(before: journal.nextPosition) > 0)
        #expect(try fill(journal, size: 1000) >= 20)
        journal.close()
        var last: UInt64 = 0
        try Journal.open(directory: "/j", on: disk) { last = $0.position }.close()
        #expect(last > UInt64(before + after + 20))
    }

    @Test("a half-written batch that cannot be taken back yet is taken back before the next write")
    func readOnlyInTheMiddle() throws {
        let disk = SimulatedDisk()
        let log = try SmallJournal.open(disk) { _ in }
        try log.write([Submission(Record([1]))])
        try log.synchronize()
        disk.plan(.half(EROFS), at: disk.calls + 1)
        disk.plan(.error(EROFS), at: disk.calls + 2)
        #expect(throws: JournalError.readOnlyFileSystem(file: FileName.segment(1))) {
            try log.write([Submission(Record([UInt8](repeating: 2, count: 600)))])
        }
        #expect(disk.log.suffix(2) == ["pwritev", "ftruncate"])
        disk.plan(.error(EROFS), at: disk.calls + 1)
        #expect(throws: JournalError.readOnlyFileSystem(file: FileName.segment(1))) {
            try log.write([Submission(Record([3]))])
        }
        #expect(disk.log.last == "ftruncate")
        try log.write([Submission(Record([4]))])
        try log.synchronize()
        log.close()
        #expect(try SmallJournal.recover(disk).records.map(\.payload) == [[1], [4]])
    }

    @Test("a file prepared ahead whose sync failed is thrown away: a second sync could report false success")
    func aheadOfNeed() throws {
        let disk = SimulatedDisk()
        let log = try SmallJournal.open(disk) { _ in }
        let ahead = SmallJournal.directory + "/" + FileName.ahead
        let faults = Locked(0)
        disk.watch { [unowned disk] name in
            // The sync that fails is the one of the file that has just been reserved in advance.
            guard name == "fdatasync", disk.log.last == "fallocate" else { return }
            faults.withLock { $0 += 1 }
            disk.plan(.error(ENOSPC), at: disk.calls + 1)
        }
        for _ in 0..<3 {
            try log.write([Submission(Record([UInt8](repeating: 1, count: 700)))])
            try log.synchronize()
            while try log.prepare() {}
        }
        #expect(faults.withLock { $0 } > 0)
        #expect(!disk.paths.contains(ahead))
    }

    @Test(
        "on a tmpfs of 1 MiB, appends fail when it is full and work again when a file is removed",
        .enabled(if: getuid() == 0, "needs the right to mount"))
    func tmpfs() throws {
        let place = try TemporaryDirectory()
        guard mount("tmpfs", place.path, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(place.path, Int32(MNT_DETACH)) }
        try place.write([UInt8](repeating: 7, count: 400_000), to: "filler")
        let journal = try place.open(JournalSettings(segmentBytes: 100_000))
        let before = try fill(journal, size: 5000)
        #expect(before > 10)
        try POSIXFileSystem().remove(place.path + "/filler")
        let after = try fill(journal, size: 5000)
        #expect(after > 10)
        #expect(journal.failure == nil)
        journal.close()
        var count = 0
        try place.open { _ in count += 1 }.close()
        #expect(count == before + after)
        #expect(try Journal.verify(directory: place.path).isIntact)
    }
}
