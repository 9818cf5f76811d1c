// Segments written into the files of deleted ones: nothing of the earlier use is ever read as a record, wherever a
// power cut stops the writing, and what is damaged is still told from what was never finished.

import Glibc
import SimulatedMachine
import Testing

@testable import Journal

@Suite("Recycled segments")
struct RecycledTests {
    /// A journal in its third round of the same files: the newest segment was another one before.
    private struct Recycled {
        let disk = SimulatedDisk()
        let log: SegmentLog
        private(set) var records: [UInt64: [UInt8]] = [:]
        var random: SeededGenerator

        init(seed: UInt64) throws {
            random = SeededGenerator(seed: seed)
            log = try SmallJournal.open(disk) { _ in }
            for _ in 0..<30 { try append(sizes: [Int.random(in: 200...1500, using: &random)]) }
        }

        /// Writes and syncs a batch, then deletes what is older than ten records.
        mutating func append(sizes: [Int]) throws {
            try write(sizes: sizes)
            try log.synchronize()
            let oldest = log.nextPosition - min(10, log.nextPosition - 1)
            _ = try SegmentChain(log.directory).remove(before: oldest, keepingIn: log.spares)
        }

        mutating func write(sizes: [Int]) throws {
            let first = log.nextPosition
            let payloads = sizes.map { [UInt8].random(count: $0, using: &random) }
            try log.write(payloads.map { Submission(Record($0)) }[...])
            for (position, payload) in zip(first..., payloads) { records[position] = payload }
        }

        var newest: String { disk.paths.last { $0.hasPrefix("/j/segment-") } ?? "" }

        func isRecycled(_ path: String) throws -> Bool {
            let bytes = try #require(disk.bytes(of: path))
            return try bytes.withUnsafeBytes { try SegmentHeader(decoding: $0, file: path) }.isRecycled
        }

        /// The records of a disk from `start` on; nil if it is refused.
        static func recover(_ disk: SimulatedDisk, from start: UInt64 = 1) throws(JournalError) -> [UInt64: [UInt8]] {
            var found: [UInt64: [UInt8]] = [:]
            var recovery = Recovery(
                Directory("/j", on: disk), settings: JournalSettings(segmentBytes: 4096), from: start, resumingAt: 1)
            try recovery.run { found[$0.position] = Array($0.payload) }.close()
            return found
        }
    }

    @Test("10,000 batches into used files, cut at every sector: the records before the cut, and nothing else")
    func cutAtEverySector() throws {
        var journal = try Recycled(seed: 1)
        let sector = SimulatedDisk.sector
        var cuts = 0
        for tail in 0..<sweep(0..<10_000).count {
            let (before, acknowledged) = (journal.disk.bytes(of: journal.newest), journal.log.nextPosition)
            let name = journal.newest
            let sizes = (0..<Int.random(in: 1...3, using: &journal.random)).map { _ in
                Int.random(in: 0...900, using: &journal.random)
            }
            try journal.write(sizes: sizes)
            let path = journal.newest
            let written = try #require(journal.disk.bytes(of: path))
            // A batch that began a segment has no bytes before it to compare.
            if let old = before, name == path, try journal.isRecycled(path) {
                let changed = zip(old, written).enumerated().filter { $0.element.0 != $0.element.1 }.map(\.offset)
                let (first, last) = ((changed.first ?? 0) / sector, (changed.last ?? 0) / sector)
                for cut in first...last + 1 {
                    let disk = SimulatedDisk()
                    disk.put(path, Array(written[..<min(cut * sector, written.count)]) + old.dropFirst(cut * sector))
                    let found = try Recycled.recover(disk, from: acknowledged)
                    let end = acknowledged + UInt64(found.count)
                    for position in acknowledged..<end where found[position] != journal.records[position] {
                        Issue.record("tail \(tail), cut \(cut): record \(position) was never written")
                    }
                    let isWhole = cut == last + 1
                    #expect(found.count <= sizes.count && (!isWhole || found.count == sizes.count), "tail \(tail)")
                    cuts += 1
                }
            }
            try journal.append(sizes: [10])
        }
        #expect(cuts > 2 * sweep(0..<10_000).count)
    }

    @Test("remains of an unfinished batch never continue its first record, written again")
    func firstRecordAgain() throws {
        for seed in sweep(0..<200).map(UInt64.init) {
            var journal = try Recycled(seed: seed)
            guard try journal.isRecycled(journal.newest) else { continue }
            let (path, before) = (journal.newest, journal.disk.afterKill())
            let acknowledged = journal.log.nextPosition
            try journal.write(sizes: [300, 40])
            guard journal.newest == path else { continue }
            var torn = try #require(journal.disk.bytes(of: path))
            let old = try #require(before.bytes(of: path))
            let start = try #require(zip(old, torn).enumerated().first { $0.element.0 != $0.element.1 }).offset
            torn.replaceSubrange(start..<start + 60, with: old[start..<start + 60])
            before.put(path, torn)
            let log = try SmallJournal.open(before) { _ in }
            #expect(log.nextPosition == acknowledged)
            try log.write([Submission(Record(journal.records[acknowledged] ?? []))])
            try log.synchronize()
            let found = try Recycled.recover(before.afterKill(), from: acknowledged)
            #expect(found.keys.sorted() == [acknowledged], "seed \(seed)")
        }
    }

    @Test("each flipped bit of records in used files is refused, or changes no record")
    func flipAnyBit() throws {
        var journal = try Recycled(seed: 3)
        while try journal.log.nextPosition < 40 || !journal.isRecycled(journal.newest) {
            try journal.append(sizes: [700])
        }
        journal.log.close()
        let whole = try Recycled.recover(journal.disk.afterKill())
        var refused = 0
        for path in journal.disk.paths where path.hasPrefix("/j/segment-") {
            let bytes = try #require(journal.disk.bytes(of: path))
            for bit in stride(from: 0, to: bytes.count * 8, by: 3 * sweep(0..<100)[1]) {
                let disk = journal.disk.afterKill()
                var damaged = bytes
                damaged[bit / 8] ^= 1 << (bit % 8)
                disk.put(path, damaged)
                guard let found = try? Recycled.recover(disk) else {
                    refused += 1
                    continue
                }
                if found != whole { Issue.record("bit \(bit) of \(path) went unnoticed") }
            }
        }
        #expect(refused > 0)
    }

    @Test("a used file is written only after the loss of its old name is durable")
    func nameFirst() throws {
        for seed in sweep(0..<300).map(UInt64.init) {
            let journal = try Recycled(seed: seed)
            let after = journal.disk.afterPowerCut(seed: seed)
            let found = try Recycled.recover(after)
            for position in journal.log.nextPosition - 10..<journal.log.nextPosition
            where found[position] != journal.records[position] {
                Issue.record("seed \(seed): record \(position) is lost")
            }
        }
    }

    @Test("a reader whose segment is written again while it reads finds it gone, not damaged")
    func overtakenReader() throws {
        var journal = try Recycled(seed: 5)
        let oldest = try #require(journal.disk.paths.first { $0.hasPrefix("/j/segment-") })
        let reader = try SegmentReader(String(oldest.dropFirst(3)), in: journal.log.directory)
        for _ in 0..<60 { try journal.append(sizes: [900]) }
        reader.window.reload()
        let end = try SegmentChain.read(reader, isLast: false) { _ in }
        #expect(end.tail == .clean)
        let next = try SegmentReader(String(journal.newest.dropFirst(3)), in: journal.log.directory)
        do {
            try SegmentChain.check(next, continues: reader)
            Issue.record("the next segment continues a reader of other bytes")
        } catch {
            #expect(error.isGone, "\(error)")
        }
    }

    @Test("files are kept only while they are needed: not more than the last deletion freed, none after the end")
    func surplus() throws {
        let journal = try Recycled(seed: 6)
        let spares = { journal.disk.paths.filter { $0.hasPrefix("/j/spare-") } }
        for _ in 0..<20 { try journal.log.roll(toFit: 0) }
        #expect(spares().isEmpty)
        // Segments that are left empty are cut, and then too short to keep.
        let removed = try SegmentChain(journal.log.directory).remove(
            before: journal.log.nextPosition, keepingIn: journal.log.spares)
        #expect(removed > 20 && spares().count < 10)
        journal.log.close()
        #expect(spares().isEmpty)
        journal.disk.put("/j/spare-000000000009.journal.tmp", [1, 2, 3])
        _ = try Recycled.recover(journal.disk)
        #expect(spares().isEmpty)
    }

    @Test("a segment that someone has linked elsewhere keeps its bytes")
    func linked() throws {
        let directory = try TemporaryDirectory()
        let journal = try directory.open(JournalSettings(segmentBytes: 4096))
        for value in UInt8(0)..<6 {
            _ = try journal.appendAndWait(Record([UInt8](repeating: value, count: 3000)))
        }
        let (name, copy) = (FileName.segment(2), directory.path + "/copy")
        try #require(link(directory.path + "/" + name, copy) == 0)
        let bytes = try directory.read(name)
        #expect(try journal.deleteSegments(before: 6) == 5)
        let kept = try POSIXFileSystem().list(directory.path).map(\.name).filter(FileName.spare.isMember)
        #expect(kept.count == 4)
        for value in UInt8(6)..<20 {
            _ = try journal.appendAndWait(Record([UInt8](repeating: value, count: 3000)))
        }
        #expect(try directory.read("copy") == bytes)
        journal.close()
    }

    @Test("salvage cuts a used file after its last intact record, and keeps the rest")
    func salvage() throws {
        let journal = try Recycled(seed: 7)
        journal.log.close()
        let segments = journal.disk.paths.filter { $0.hasPrefix("/j/segment-") }
        let victim = try #require(segments.dropLast().last { (try? journal.isRecycled($0)) == true })
        let name = String(victim.dropFirst(3))
        let reader = try SegmentReader(name, in: journal.log.directory)
        let second = try #require({ if case .record? = try? reader.next() { reader.offset } else { nil } }())
        let (kept, header) = (reader.nextPosition, RecordHeader.size)
        journal.disk.damage(victim, at: second + header)
        let problem = JournalError.corrupted(
            file: name, offset: second, reason: "the record's payload does not match its checksum")
        #expect(throws: problem) { try Recycled.recover(journal.disk) }
        #expect(try Journal.verify(directory: "/j", on: journal.disk).problems.contains(problem))
        let report = try #require(try Journal.salvage(directory: "/j", on: journal.disk))
        #expect(report.problem == problem && report.end == kept)
        #expect(report.movedAside.contains("salvaged-\(name)-from-\(second)"))
        let lost = journal.records.filter { $0.key >= kept }.values.reduce(0) { $0 + $1.count }
        #expect(try #require(report.bytes) >= lost && report.bytes ?? 0 < lost + 16 * (segments.count * 64))
        let found = try Recycled.recover(journal.disk)
        #expect(found.keys.max() == kept - 1)
    }
}
