// Power cuts on the simulated disk: whatever the cut keeps, drops or tears of unsynced data, every acknowledged record
// is there afterwards, and no record that was never appended.

import Glibc
import SimulatedMachine
import Testing

@testable import Journal

@Suite("Power cut")
struct PowerCutTests {
    @Test("every acknowledged record survives power cuts in random places", arguments: 0..<8)
    func acknowledgedSurvive(block: Int) throws {
        for seed in sweep(block * 500..<block * 500 + 500).map(UInt64.init) {
            var script = Script(seed: seed)
            let disk = SimulatedDisk()
            disk.plan(.powerCut, at: Int.random(in: 1...140, using: &script.random))
            script.run(on: disk)
            let after = disk.afterPowerCut(seed: seed ^ 0xABCD)
            try script.check(after.afterKill(), context: "seed \(seed)")
            // A second cut, in the middle of the recovery, must not lose anything either.
            let again = after.afterKill()
            again.plan(.powerCut, at: Int.random(in: 1...12, using: &script.random))
            _ = try? script.recover(again)
            try script.check(again.afterPowerCut(seed: seed ^ 0x1234), context: "seed \(seed), second cut")
        }
    }

    @Test(
        "where syncs are rare, a power cut leaves all that was synced, and never looks like corruption",
        arguments: 0..<4)
    func rareSyncs(block: Int) throws {
        for seed in UInt64(block * 250)..<UInt64(block * 250 + 250) {
            var script = Script(seed: seed, syncing: 0.1)
            let disk = SimulatedDisk()
            disk.plan(.powerCut, at: Int.random(in: 1...140, using: &script.random))
            script.run(on: disk)
            try script.check(disk.afterPowerCut(seed: seed ^ 0xEF), context: "seed \(seed)")
        }
    }

    @Test(
        "where segments follow each other without a sync, a power cut leaves all that was synced and no gap",
        arguments: 0..<4)
    func noSyncs(block: Int) throws {
        for seed in UInt64(block * 500)..<UInt64(block * 500 + 500) {
            var script = Script(seed: seed, syncing: 0.05, mode: .none)
            let disk = SimulatedDisk()
            disk.plan(.powerCut, at: Int.random(in: 1...140, using: &script.random))
            script.run(on: disk)
            let after = disk.afterPowerCut(seed: seed ^ 0x77)
            let again = after.afterKill()
            again.plan(.powerCut, at: Int.random(in: 1...12, using: &script.random))
            _ = try? script.recover(again)
            try script.check(again.afterPowerCut(seed: seed), context: "seed \(seed), second cut")
            try script.check(after, context: "seed \(seed)")
        }
    }

    @Test("records that were added while another thread synced their segment are synced the next time")
    func addedMeanwhile() throws {
        for seed in UInt64(0)..<40 {
            let disk = SimulatedDisk()
            let script = Script(seed: seed, mode: .none)
            let log = try script.recover(disk)
            let write = { (count: Int) throws -> UnsyncedSegments in
                try log.write([Submission(Record([UInt8](repeating: 1, count: count)))])
                return try #require(try log.unsynced())
            }
            let first = try write(1000)
            try first.synchronize(in: log.directory)
            _ = try write(1000)
            #expect(try write(3000).numbers == 1...2)
            try log.settle(first)
            let rest = try #require(try log.unsynced())
            #expect(log.syncedPosition == 2 && rest == UnsyncedSegments(numbers: 1...2, end: 4))
            try rest.synchronize(in: log.directory)
            try log.settle(rest)
            #expect(try log.unsynced() == nil)
            #expect(try script.recover(disk.afterPowerCut(seed: seed)).nextPosition == 4)
        }
    }

    @Test("a gap in records that were synced is damage, even where nothing waits for syncs")
    func gapInSyncedRecords() throws {
        let disk = SimulatedDisk()
        let script = Script(seed: 0, mode: .none)
        let log = try script.recover(disk)
        for value in UInt8(0)..<5 {
            try log.write([Submission(Record([UInt8](repeating: value, count: 3000)))])
            if value > 2 { try log.synchronize() }
        }
        log.close()
        try disk.remove("/j/SYNCED")
        try disk.remove("/j/" + FileName.segment(2))
        #expect(throws: Directory.missing(2)) { try script.recover(disk) }
        let others = SimulatedDisk()
        for path in disk.paths where ![3, 5].contains(where: { path.hasSuffix(FileName.segment($0)) }) {
            others.put(path, try #require(disk.bytes(of: path)))
        }
        // Without the segment that says that they were synced, the records may have been lost in a power cut.
        #expect(try script.recover(others).nextPosition == 2)
    }

    @Test("a batch that a full disk refused never comes back, whatever power cut follows", arguments: 0..<4)
    func refusedStayAway(block: Int) throws {
        for seed in sweep(block * 500..<block * 500 + 500).map(UInt64.init) {
            var script = Script(seed: seed)
            let disk = SimulatedDisk()
            let full = Int.random(in: 15...80, using: &script.random)
            disk.plan(.half(ENOSPC), at: full)
            disk.plan(.powerCut, at: full + Int.random(in: 1...10, using: &script.random))
            script.run(on: disk)
            try script.check(disk.afterPowerCut(seed: seed), context: "seed \(seed)")
        }
    }

    @Test("what a restart after a kill has shown survives a power cut right behind it", arguments: 0..<4)
    func shownSurvives(block: Int) throws {
        for seed in UInt64(block * 250)..<UInt64(block * 250 + 250) {
            var script = Script(seed: seed)
            let disk = SimulatedDisk()
            disk.plan(.powerCut, at: Int.random(in: 1...140, using: &script.random))
            script.run(on: disk)
            let killed = disk.afterKill()
            var shown: [UInt64] = []
            let log = try script.recover(killed) { shown.append($0.position) }
            try log.write([Submission(Record([1, 2, 3]))])
            try log.synchronize()
            shown.append(log.nextPosition - 1)
            var found: Set<UInt64> = []
            _ = try script.recover(killed.afterPowerCut(seed: seed)) { found.insert($0.position) }
            for position in shown where !found.contains(position) {
                Issue.record("seed \(seed): record \(position) was shown and is lost")
            }
        }
    }
}

/// A seeded session of batches, preparations and deletions; remembers what was acknowledged.
struct Script {
    var random: SeededGenerator
    private let settings: JournalSettings
    private var submitted: [UInt64: [UInt8]] = [:]
    private var acknowledged: UInt64 = 0
    private var deletable: UInt64 = 0

    /// How many times a batch is synced.
    private let syncing: Double

    init(seed: UInt64, syncing: Double = 1, mode: JournalMode = .group) {
        random = SeededGenerator(seed: seed)
        self.syncing = syncing
        settings = JournalSettings(mode: mode, segmentBytes: 4096)
    }

    mutating func run(on disk: SimulatedDisk) {
        do throws(JournalError) {
            let log = try recover(disk)
            for _ in 0..<40 { try step(log) }
        } catch {}
    }

    private mutating func step(_ log: SegmentLog) throws(JournalError) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: _ = try log.prepare()
        case 1 where acknowledged > 3:
            deletable = UInt64.random(in: deletable...acknowledged, using: &random)
            _ = try SegmentChain(log.directory).remove(before: deletable, keepingIn: log.spares)
        default:
            var batch: [Submission] = []
            var position = log.nextPosition
            repeat {
                let payload = makePayload()
                let submission = Submission(Record(type: 1, model: 2, payload: [Bytes(copying: payload)]))
                submitted[position] = payload
                batch.append(submission)
                position += 1
            } while Int.random(in: 0..<3, using: &random) > 0
            do {
                try log.write(batch[...])
            } catch  where error.heals {
                for refused in log.nextPosition..<position { submitted[refused] = nil }
                return
            }
            if Double.random(in: 0..<1, using: &random) < syncing { try log.synchronize() }
            acknowledged = log.syncedPosition - 1
        }
    }

    private mutating func makePayload() -> [UInt8] {
        let size = [8, 100, 700, 5000].randomElement(using: &random) ?? 8
        return .random(count: Int.random(in: 0...size, using: &random), using: &random)
    }

    func recover(
        _ disk: SimulatedDisk, _ replay: (StoredRecord) throws -> Void = { _ in }
    ) throws(JournalError) -> SegmentLog {
        var recovery = Recovery(
            Directory("/j", on: disk), settings: settings, from: 1, resumingAt: 1,
            bound: settings.mode == .none ? .max : 0)
        return try recovery.run(replay)
    }

    private func isSubmitted(_ payload: [UInt8], _ position: UInt64) -> Bool {
        guard let expected = submitted[position] else { return false }
        return Copy(position: 0, type: 0, flags: 0, model: 0, payload: payload)
            == Copy(position: 0, type: 0, flags: 0, model: 0, payload: expected)
    }

    /// Every acknowledged record that was not deleted is present, and every present record was submitted.
    func check(_ disk: SimulatedDisk, context: String) throws {
        var found: [UInt64: [UInt8]] = [:]
        let log: SegmentLog
        do {
            log = try recover(disk) { found[$0.position] = Array($0.payload) }
        } catch {
            Issue.record("\(context): \(error)")
            return
        }
        for (position, payload) in found where !isSubmitted(payload, position) {
            Issue.record("\(context): record \(position) is not what was appended")
        }
        for position in stride(from: max(deletable, 1), through: acknowledged, by: 1) where found[position] == nil {
            Issue.record("\(context): record \(position) of \(acknowledged) acknowledged is lost")
        }
        #expect(log.nextPosition > acknowledged, "\(context)")
        // The log still accepts records.
        try log.write([Submission(Record(type: 9, payload: []))])
        try log.synchronize()
    }
}
