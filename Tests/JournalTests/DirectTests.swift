// Large pieces on pages of memory, written past the page cache: they begin on pages of the file, come back to the bit, and
// survive power cuts and failing calls as all records do.

import Glibc
import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Writes past the page cache")
struct DirectTests {
    /// Memory that begins on a page.
    private final class Pages: Sendable {
        nonisolated(unsafe) let content: UnsafeMutableRawBufferPointer

        init(_ bytes: [UInt8]) {
            content = .allocate(byteCount: max(1, bytes.count), alignment: 4096)
            content.copyBytes(from: bytes)
        }

        deinit { content.deallocate() }
    }

    private static let settings = JournalSettings(segmentBytes: 64 << 10, directBytes: 8192)

    /// A record with a head, a large piece on pages, and a tail.
    private static func record(head: Int, body: [UInt8], tail: Int) -> (Record, [UInt8]) {
        let pages = Pages(body)
        let (head, tail) = ([UInt8](repeating: 1, count: head), [UInt8](repeating: 2, count: tail))
        let piece = Bytes(UnsafeRawBufferPointer(rebasing: pages.content[..<body.count]), owner: pages)
        return (Record(type: 1, payload: [Bytes(copying: head), piece, Bytes(copying: tail)]), head + body + tail)
    }

    private static func open(
        _ disk: any FileSystem, at path: String = "/j", _ settings: JournalSettings = settings,
        _ replay: (StoredRecord) throws -> Void = { _ in }
    ) throws(JournalError) -> SegmentLog {
        var recovery = Recovery(Directory(path, on: disk), settings: settings, from: 1, resumingAt: 1)
        return try recovery.run(replay)
    }

    /// Writes batches of small and large records until a call fails; returns the payloads of all that were written, and
    /// how many were acknowledged.
    private static func write(
        _ disk: any FileSystem, at path: String = "/j", batches: Int, seed: UInt64, settings: JournalSettings = settings
    ) -> (payloads: [[UInt8]], acknowledged: Int) {
        var random = SeededGenerator(seed: seed)
        var (payloads, acknowledged): ([[UInt8]], Int) = ([], 0)
        guard let log = try? open(disk, at: path, settings) else { return ([], 0) }
        defer { log.close() }
        for _ in 0..<batches {
            let batch = (0..<Int.random(in: 1...3, using: &random)).map { _ in
                record(
                    head: Int.random(in: 0...99, using: &random),
                    body: .random(
                        count: [10, 8191, 8192, 20_001, 50_000].randomElement(using: &random) ?? 0, using: &random),
                    tail: Int.random(in: 0...20, using: &random))
            }
            payloads += batch.map(\.1)
            guard (try? log.write(batch.map { Submission($0.0) }[...])) != nil, (try? log.synchronize()) != nil else {
                break
            }
            acknowledged = payloads.count
        }
        return (payloads, acknowledged)
    }

    private static func read(_ disk: any FileSystem, at path: String = "/j") throws(JournalError) -> [[UInt8]] {
        var found: [[UInt8]] = []
        try open(disk, at: path) { found.append(Array($0.payload)) }.close()
        return found
    }

    @Test("what was written comes back, on a disk that refuses anything but whole pages", arguments: sweep(0..<20))
    func roundTrip(seed: Int) throws {
        let disk = SimulatedDisk()
        let (payloads, acknowledged) = Self.write(disk, batches: 12, seed: UInt64(seed))
        #expect(payloads.count == acknowledged && !payloads.isEmpty)
        #expect(try Self.read(disk.afterPowerCut(seed: 1)) == payloads)
    }

    @Test("large pieces begin on a page of the file, on a real disk too, whatever is before them")
    func places() throws {
        let place = try TemporaryDirectory()
        let (payloads, _) = Self.write(POSIXFileSystem(), at: place.path, batches: 8, seed: 7)
        #expect(try Self.read(POSIXFileSystem(), at: place.path) == payloads)
        let reader = try SegmentReader(FileName.segment(1), in: Directory(place.path, on: POSIXFileSystem()))
        var large = 0
        while case .record(let record) = try reader.next() {
            // Heads and tails have at most 119 bytes.
            guard record.payload.count >= 8192 + 119 else { continue }
            #expect(Self.isOnPage(record, before: reader.offset))
            large += 1
        }
        #expect(large > 0 && reader.header.version == 3)
    }

    /// Whether the first byte after the head is on a page of the file; the record ends before `end`.
    private static func isOnPage(_ record: StoredRecord, before end: Int) -> Bool {
        let heads = record.payload.prefix { $0 == 1 }.count
        return (0..<8).contains { (end - $0 - record.payload.count + heads) % 4096 == 0 }
    }

    @Test("nothing is written past the cache where no append waits for a sync, or for small pieces")
    func only() throws {
        var none = Self.settings
        none.mode = .none
        var small = Self.settings
        small.directBytes = 1 << 20
        for settings in [none, small] {
            let disk = SimulatedDisk()
            let (payloads, _) = Self.write(disk, batches: 5, seed: 3, settings: settings)
            var offset = SegmentHeader.size
            let segment = try SegmentReader(FileName.segment(1), in: Directory("/j", on: disk))
            while case .record(let record) = try segment.next() {
                offset += RecordHeader.extent(payload: record.payload.count)
                #expect(segment.offset == offset)
            }
            #expect(try Self.read(disk) == payloads)
        }
    }

    @Test("every acknowledged record survives a power cut at any call", arguments: sweep(0..<8))
    func powerCut(seed: Int) throws {
        let calls = SimulatedDisk()
        _ = Self.write(calls, batches: 6, seed: UInt64(seed))
        for call in stride(from: 1, to: calls.calls, by: 3) {
            let disk = SimulatedDisk()
            let count = Locked(0)
            disk.watch { [disk] _ in
                if count.withLock({
                    $0 += 1; return $0 == call
                }) {
                    disk.cutPower()
                }
            }
            let (payloads, acknowledged) = Self.write(disk, batches: 6, seed: UInt64(seed))
            let found = try Self.read(disk.afterPowerCut(seed: UInt64(call)))
            #expect(found.count >= acknowledged && found == Array(payloads.prefix(found.count)), "call \(call)")
        }
    }

    @Test("the n-th call fails: its batch is refused or whole, and the ones before it stay")
    func failingCalls() throws {
        for fault in [Fault.error(EIO), .error(EINVAL), .half(ENOSPC), .short] {
            for call in 1...60 {
                let disk = SimulatedDisk()
                disk.plan(fault, at: call)
                let (payloads, acknowledged) = Self.write(disk, batches: 4, seed: 5)
                guard let found = try? Self.read(disk.afterKill()) else {
                    Issue.record("\(fault) at \(call): the journal does not open")
                    continue
                }
                let isPrefix = found == Array(payloads.prefix(found.count))
                #expect(found.count >= acknowledged && isPrefix, "\(fault) at \(call)")
            }
        }
    }

    @Test("each flipped bit, also of the zeros before a payload, is found or changes no record")
    func flippedBits() throws {
        let disk = SimulatedDisk()
        let (payloads, _) = Self.write(disk, batches: 3, seed: 11)
        let path = "/j/" + FileName.segment(1)
        let bytes = try #require(disk.bytes(of: path))
        var refused = 0
        for bit in stride(from: SegmentHeader.size * 8, to: min(bytes.count, 40_000) * 8, by: 401) {
            let copy = disk.afterKill()
            var damaged = bytes
            damaged[bit / 8] ^= 1 << (bit % 8)
            copy.put(path, damaged)
            guard let found = try? Self.read(copy) else {
                refused += 1
                continue
            }
            if found != payloads { Issue.record("bit \(bit) went unnoticed") }
        }
        #expect(refused > 100)
    }
}
