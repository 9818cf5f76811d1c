// Damage on disk: cuts at every byte and flips of every bit. Either the open returns exactly the remaining prefix and
// reports what was dropped, or it refuses and names the place. It never returns different records.

import SimulatedMachine
import Testing

@testable import Journal

@Suite("Damage")
struct DamageTests {
    private static let sizes = [0, 1, 7, 8, 9, 300, 1000, 64, 4096, 3, 900, 12000, 5, 2500, 17, 9000, 40, 8000, 1200]

    @Test("a journal of 40 KB cut at any byte gives exactly the records before the cut")
    func cutAnywhere() throws {
        let small = try SmallJournal(sizes: DamageTests.sizes, segmentBytes: 64 << 10)
        let bytes = try #require(small.disk.bytes(of: small.path(1)))
        var ends = [SegmentHeader.size]
        for record in small.records {
            ends.append((ends.last ?? 0) + RecordHeader.extent(payload: record.payload.count))
        }
        let sealEnd = (ends.last ?? 0) + RecordHeader.size
        #expect(sealEnd > 40_000)
        let disk = SimulatedDisk()
        for cut in sweep(SegmentHeader.size..<sealEnd + 1) {
            disk.put(small.path(1), Array(bytes[..<cut]))
            let found = try SmallJournal.recover(disk)
            let expected = ends.dropFirst().prefix { $0 <= cut }.count
            if found.records != Array(small.records.prefix(expected)) {
                Issue.record("cut at \(cut): \(found.records.count) records instead of \(expected)")
            }
            // Up to 7 bytes of the next record's length may all be zero, which does not count as a tail.
            let whole = cut == sealEnd || ends.contains(cut)
            if whole && found.report.tornTail != nil { Issue.record("cut at \(cut): a torn tail where there is none") }
            if let torn = found.report.tornTail, torn.offset != ends[expected], cut < sealEnd {
                Issue.record("cut at \(cut): dropped from \(torn.offset), not \(ends[expected])")
            }
        }
    }

    @Test("a segment cut inside its header, or before another segment, is refused", arguments: [0, 1, 63, 64, 500])
    func cutTooFar(cut: Int) throws {
        let small = try SmallJournal(sizes: [1000, 1000, 1000, 1000, 1000])
        let bytes = try #require(small.disk.bytes(of: small.path(1)))
        #expect(small.disk.bytes(of: small.path(2)) != nil)
        small.disk.put(small.path(1), Array(bytes[..<cut]))
        #expect(throws: JournalError.self) { try SmallJournal.recover(small.disk) }
    }

    @Test("each flipped bit of a closed journal is refused, or is after the last record and is reported")
    func flipAnyBit() throws {
        let small = try SmallJournal(sizes: [0, 100, 1, 700, 33, 1500, 2000, 8, 5])
        let last = small.path(2)
        #expect(small.disk.bytes(of: last) != nil && small.disk.bytes(of: small.path(3)) == nil)
        for path in [small.path(1), last] {
            let bytes = try #require(small.disk.bytes(of: path))
            for bit in sweep(0..<bytes.count * 8) {
                let disk = small.disk.afterKill()
                var damaged = bytes
                damaged[bit / 8] ^= 1 << (bit % 8)
                disk.put(path, damaged)
                guard let found = try? SmallJournal.recover(disk) else { continue }
                // The next segment says where the first one ends, whatever follows there.
                let matters = path == last ? found.report.tornTail == nil : bit / 8 < small.end(of: path)
                if found.records != small.records || matters {
                    Issue.record("bit \(bit) of \(path) went unnoticed")
                }
            }
        }
    }

    @Test("a damaged record before the last batch is corruption, with file and offset")
    func hole() throws {
        let small = try SmallJournal(sizes: [100, 100, 100], sealed: false)
        var bytes = try #require(small.disk.bytes(of: small.path(1)))
        bytes[SegmentHeader.size + RecordHeader.size + 10] ^= 4
        small.disk.put(small.path(1), bytes)
        #expect(
            throws: JournalError.corrupted(
                file: "segment-000000000001.journal", offset: 64,
                reason: "the record's payload does not match its checksum")
        ) { try SmallJournal.recover(small.disk) }
    }

    @Test("a batch of which only the later records reached the disk is a torn tail, not corruption")
    func tornBatch() throws {
        let small = try SmallJournal(sizes: [100], sealed: false)
        let log = try SmallJournal.open(small.disk) { _ in }
        let start = SegmentHeader.size + RecordHeader.extent(payload: 100)
        try log.write([Submission(Record([1, 2, 3])), Submission(Record([4, 5, 6]))])
        log.close()
        var bytes = try #require(small.disk.bytes(of: small.path(1)))
        for offset in start..<start + 24 { bytes[offset] = 0 }
        small.disk.put(small.path(1), bytes)
        let found = try SmallJournal.recover(small.disk)
        #expect(found.records == small.records)
        #expect(found.report.tornTail?.offset == start)
        // The dropped bytes are removed from the disk too.
        #expect(try SmallJournal.recover(small.disk).report.tornTail == nil)
    }

    @Test("a stale record in the right place, but of another history, is not delivered")
    func staleRecord() throws {
        let small = try SmallJournal(sizes: [100], sealed: false)
        let second = { (payload: [UInt8]) throws -> SimulatedDisk in
            let disk = small.disk.afterKill()
            let log = try SmallJournal.open(disk) { _ in }
            for bytes in [payload, [7]] {
                try log.write([Submission(Record(bytes))])
                try log.synchronize()
            }
            log.close()
            return disk
        }
        let (one, other) = (try second([1, 1]), try second([2, 2]))
        var mixed = try #require(one.bytes(of: small.path(1)))
        let third = SegmentHeader.size + RecordHeader.extent(payload: 100) + RecordHeader.extent(payload: 2)
        mixed.replaceSubrange(third..., with: try #require(other.bytes(of: small.path(1)))[third...])
        one.put(small.path(1), mixed)
        try one.remove(SmallJournal.directory + "/" + FileName.durable)
        let found = try SmallJournal.recover(one)
        #expect(found.records.map(\.payload.count) == [100, 2])
        #expect(found.report.tornTail?.reason == "the record does not follow the previous one")
    }

    @Test("a missing segment in the middle is corruption")
    func missingSegment() throws {
        let small = try SmallJournal(sizes: [3000, 3000, 3000])
        try small.disk.remove(small.path(2))
        #expect(
            throws: JournalError.corrupted(
                file: "segment-000000000002.journal", offset: 0, reason: "the segment is missing")
        ) { try SmallJournal.recover(small.disk) }
    }

    @Test("a segment of a later format is told apart from damage")
    func laterFormat() throws {
        let small = try SmallJournal(sizes: [10])
        var bytes = try #require(small.disk.bytes(of: small.path(1)))
        bytes[8] = 4
        let checksum = bytes[..<60].withUnsafeBytes { Checksum.of($0) }
        for (index, byte) in withUnsafeBytes(of: checksum.littleEndian, Array.init).enumerated() {
            bytes[60 + index] = byte
        }
        small.disk.put(small.path(1), bytes)
        #expect(throws: JournalError.unsupportedFormat(file: "segment-000000000001.journal", version: 4)) {
            try SmallJournal.recover(small.disk)
        }
    }
}
