// A full disk refuses appends, keeps what it has, and takes appends again once there is room: on the simulated disk
// and, where the test may mount one, on a small tmpfs.

import Glibc
import Testing

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

    @Test("appends fail while the disk is full and work again by themselves")
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
        disk.limit(to: 80_000)
        let after = try fill(journal, size: 1000)
        #expect(after >= 20)
        // Deleting what is no longer needed makes room too.
        #expect(try journal.deleteSegments(before: journal.nextPosition) > 0)
        #expect(try fill(journal, size: 1000) >= 20)
        journal.close()
        var last: UInt64 = 0
        try Journal.open(directory: "/j", on: disk) { last = $0.position }.close()
        #expect(last > UInt64(before + after + 20))
    }

    @Test(
        "on a tmpfs of 1 MiB, appends fail when it is full and go on when a file is removed",
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
