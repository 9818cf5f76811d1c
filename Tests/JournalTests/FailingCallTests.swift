// The n-th call fails, for every n and every kind of failure: acknowledged records stay, refused ones never appear, a
// full disk recovers, and after the first real failure nothing more is written.

import Glibc
import SimulatedMachine
import Testing
import Threading

@testable import Journal

@Suite("Failing calls")
struct FailingCallTests {
    /// A session of twelve appends of different sizes over several segments, with deletions; each is tried once.
    private final class Session {
        let disk = SimulatedDisk()
        private(set) var acknowledged: [UInt64: [UInt8]] = [:]
        /// The number of appends that succeeded.
        private(set) var taken = 0
        private(set) var refused: [[UInt8]] = []
        private(set) var errors: [JournalError] = []

        func run() {
            do throws(JournalError) {
                let journal = try Journal.open(
                    directory: "/j", on: disk, settings: JournalSettings(segmentBytes: 4096)
                ) { _ in }
                for number in 0..<12 {
                    append(number, to: journal)
                    // Files of deleted segments are written again.
                    if number % 3 == 2 { delete(before: journal.nextPosition - 1, from: journal) }
                }
                journal.close()
            } catch {
                errors.append(error)
            }
        }

        private func delete(before position: UInt64, from journal: Journal) {
            do throws(JournalError) {
                try journal.deleteSegments(before: position)
            } catch {
                errors.append(error)
            }
            for deleted in acknowledged.keys where deleted < position { acknowledged[deleted] = nil }
        }

        private func append(_ number: Int, to journal: Journal) {
            let sizes = [10, 1500, 0, 3000, 9000, 20]
            let payload = [UInt8](repeating: UInt8(number + 1), count: sizes[number % sizes.count])
            do throws(JournalError) {
                acknowledged[try journal.appendAndWait(Record(payload)).position] = payload
                taken += 1
            } catch {
                errors.append(error)
                if error.heals { refused.append(payload) }
            }
        }

        /// Everything acknowledged and nothing refused is on the disk.
        func check(_ disk: SimulatedDisk, _ context: String) {
            do {
                var found: [UInt64: [UInt8]] = [:]
                for record in try SmallJournal.recover(disk).records { found[record.position] = record.payload }
                for (position, payload) in acknowledged where found[position] != payload {
                    Issue.record("\(context): acknowledged record \(position) is lost")
                }
                for payload in refused where !payload.isEmpty && found.values.contains(payload) {
                    Issue.record("\(context): a refused record came back")
                }
            } catch {
                Issue.record("\(context): \(error)")
            }
        }
    }

    private func runs(_ fault: Fault, _ check: (Session, _ context: String, _ call: String) -> Void) {
        let plain = Session()
        plain.run()
        #expect(plain.errors.isEmpty && plain.taken == 12)
        for call in 1...plain.disk.calls {
            let session = Session()
            session.disk.plan(fault, at: call)
            session.run()
            let name = session.disk.log[min(call, session.disk.calls) - 1]
            let context = "\(fault) at call \(call), \(name)"
            check(session, context, name)
            session.check(session.disk.afterKill(), context)
            for seed in sweep(0..<3).map(UInt64.init) { session.check(session.disk.afterPowerCut(seed: seed), context) }
        }
    }

    @Test("short writes and reads are continued")
    func short() {
        runs(.short) { session, context, _ in
            #expect(session.errors.isEmpty && session.taken == 12, "\(context)")
        }
    }

    @Test(
        "a disk that is full or read-only for one call costs that append at most",
        arguments: [
            Fault.error(ENOSPC), .half(ENOSPC), .error(EDQUOT), .error(EROFS), .half(EROFS), .error(EMFILE),
        ])
    func full(fault: Fault) {
        runs(fault) { session, context, call in
            #expect(
                session.errors.count <= 1 || call == "fdatasync" || call == "fsync", "\(context): \(session.errors)")
            guard let error = session.errors.first(where: { !$0.heals }) else { return }
            // Only a failed sync, of records or of names, and an open that could not read are final.
            switch error {
            case .failed: #expect(call == "fdatasync" || call == "fsync", "\(context)")
            case .inaccessible: #expect(["readdir", "open", "fstat", "pread"].contains(call), "\(context)")
            default: Issue.record("\(context): \(error)")
            }
        }
    }

    @Test("after the first input/output error nothing is acknowledged", arguments: [Fault.error(EIO), .half(EIO)])
    func inputOutput(fault: Fault) {
        runs(fault) { session, context, _ in
            guard let first = session.errors.first else { return }
            guard case .failed = first else {
                if case .inaccessible = first { return }  // an open that could not read
                Issue.record("\(context): \(first)")
                return
            }
            #expect(session.taken + session.errors.count <= 13, "\(context)")
            #expect(session.errors.allSatisfy { $0 == first }, "\(context)")
        }
    }

    @Test("a descriptor whose sync failed is never written or synced again")
    func noRetry() throws {
        let disk = SimulatedDisk()
        let journal = try Journal.open(directory: "/j", on: disk, settings: JournalSettings(segmentBytes: 4096)) { _ in
        }
        _ = try journal.appendAndWait(Record([1]))
        while journal.syncedPosition < 2 { usleep(100) }
        let failing = Locked(false)
        disk.watch { name in
            if name == "fdatasync" && failing.withLock({ !$0 }) {
                failing.withLock { $0 = true }
                disk.plan(.error(EIO), at: disk.calls + 1)
            }
        }
        #expect(throws: JournalError.self) {
            while true { _ = try journal.appendAndWait(Record([2])) }
        }
        let calls = disk.calls
        #expect(throws: JournalError.self) { try journal.appendAndWait(Record([3])) }
        #expect(throws: JournalError.self) { try journal.flush() }
        #expect(journal.failure != nil)
        journal.close()
        #expect(disk.calls == calls)
    }

    @Test("an interrupted call is repeated, another failure is reported with its name")
    func interrupted() throws {
        var tries = 0
        let result = try POSIXFileSystem.check("read") { () -> Int in
            tries += 1
            errno = EINTR
            return tries < 4 ? -1 : 17
        }
        #expect(result == 17 && tries == 4)
        #expect(throws: SystemError("write", EIO)) {
            try POSIXFileSystem.check("write") { () -> Int in
                errno = EIO
                return -1
            }
        }
    }
}
