// Files of every released format load forever. Reference/make_golden.py, which shares no code with the journal, wrote
// the golden files.

import Foundation
import SimulatedMachine
import Testing

@testable import Journal

@Suite("Golden files")
struct GoldenTests {
    private static let names = [
        "segment-000000000001.journal", "segment-000000000002.journal", "state-000000000003.snapshot",
    ]

    /// A copy of the segments of that version, and of the snapshot, that the test may write to.
    private func makeCopy(of version: Int = 1) throws -> TemporaryDirectory {
        let place = try TemporaryDirectory()
        let root = try #require(Bundle.module.resourcePath)
        for name in GoldenTests.names {
            let isSegment = FileName.segment.isMember(name)
            let golden = Directory(root + "/Golden/v\(isSegment ? version : 1)", on: POSIXFileSystem())
            let window = try ReadWindow(name, in: golden)
            try place.write(Array(window.bytes(0..<window.size)), to: name)
        }
        return place
    }

    /// The record at that position, according to make_golden.py.
    private func expected(_ position: UInt64) -> Copy {
        Copy(
            position: position, type: UInt16(position), flags: UInt16(10 * position),
            model: 0xA000_0000 + UInt32(position),
            payload: (0..<100 * Int(position)).map { UInt8((31 * Int(position) + $0) % 256) })
    }

    @Test("every record loads with every field, and the journal continues after them", arguments: 1...3)
    func journal(version: Int) throws {
        let place = try makeCopy(of: version)
        var found: [Copy] = []
        let journal = try place.open { found.append(Copy($0)) }
        #expect(found == (1...6).map(expected))
        #expect(journal.recovery.tornTail == nil)
        #expect(try journal.appendAndWait(Record([1])).position == 8)
        journal.close()
    }

    @Test("version 1: a snapshot loads with every field and byte")
    func snapshot() throws {
        let place = try makeCopy()
        let reader = try SnapshotStore(directory: place.path).open(3)
        let wanted = SnapshotInfo(
            id: 3, kind: 2, model: 0xA000_0001, position: 5, label: Array("first golden".utf8), length: 70_000)
        #expect(reader.info == wanted)
        var content = [UInt8](repeating: 0, count: 70_001)
        #expect(try content.withUnsafeMutableBytes { try reader.read(into: $0, at: 0) } == 70_000)
        let squares: [UInt8] = (0..<70_000).map { (place: Int) -> UInt8 in UInt8(place * place % 251) }
        #expect(content.dropLast() == squares[...])
    }

    @Test("verify finds every byte intact", arguments: 1...3)
    func verify(version: Int) throws {
        let place = try makeCopy(of: version)
        let report = try Journal.verify(directory: place.path)
        #expect(report.isIntact && report.tornTail == nil && report.others.isEmpty)
        #expect(report.files.map(\.name) == GoldenTests.names)
        #expect(report.files.map(\.entries) == [4, 3, 2])
    }

    @Test("a header is written with the bytes of version 3")
    func sameHeader() throws {
        let bytes = try makeCopy(of: 3).read("segment-000000000001.journal").prefix(64)
        let header = try Array(bytes).withUnsafeBytes { try SegmentHeader(decoding: $0, file: "") }
        #expect(header.firstPosition == 1 && header.durable == 1 && header.isRecycled && header.salt == 0x1111_1111)
        #expect(header.encode() == Array(bytes))
    }

    @Test("the bytes that the journal adds to a segment are those of its version", arguments: 1...2)
    func sameBytes(version: Int) throws {
        let golden = try makeCopy(of: version)
        let whole = try golden.read("segment-000000000001.journal")
        let bytes = whole.prefix(64 + (1...4).reduce(0) { $0 + RecordHeader.extent(payload: 100 * $1) })
        let disk = SimulatedDisk()
        // The header, including the salt, is copied; the records are written after it again.
        disk.put("/j/segment-000000000001.journal", Array(bytes[..<64]) + [UInt8](repeating: 0, count: 4096))
        let log = try SmallJournal.open(disk) { _ in }
        for position in UInt64(1)...4 {
            let record = expected(position)
            try log.write([
                Submission(
                    Record(
                        type: record.type, flags: record.flags, model: record.model,
                        payload: [Bytes(copying: record.payload)]))
            ])
            try log.synchronize()
        }
        #expect(disk.bytes(of: "/j/segment-000000000001.journal")?.prefix(bytes.count) == bytes[...])
    }
}
