// Common to the tests of this target: a temporary directory, records as values, blocking appends.

import Foundation
import Glibc
import SimulatedMachine
import Threading

@testable import Journal

/// A directory under /tmp, removed with its files at the end of the test.
final class TemporaryDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/journal-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError("mkdtemp", errno) }
        path = String(cString: made)
    }

    deinit {
        let disk = POSIXFileSystem()
        for entry in (try? disk.list(path)) ?? [] { try? disk.remove(path + "/" + entry.name) }
        rmdir(path)
    }

    func open(
        _ settings: JournalSettings = JournalSettings(segmentBytes: 64 << 10), from start: UInt64 = 1,
        replay: (StoredRecord) throws -> Void = { _ in }
    ) throws(JournalError) -> Journal {
        try Journal.open(directory: path, settings: settings, from: start, replay: replay)
    }

    /// The whole file.
    func read(_ name: String) throws -> [UInt8] {
        let disk = POSIXFileSystem()
        let file = try disk.open(path + "/" + name, .read)
        defer { disk.close(file) }
        var bytes = [UInt8](repeating: 0, count: try disk.size(file))
        try bytes.withUnsafeMutableBytes { _ = try disk.readAll(file, into: $0, at: 0) }
        return bytes
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        let disk = POSIXFileSystem()
        let file = try disk.open(path + "/" + name, .create)
        defer { disk.close(file) }
        try disk.writeAll(bytes, to: file, at: 0)
    }
}

/// A stored record with its payload copied.
struct Copy: Equatable {
    var position: UInt64
    var type: UInt16
    var flags: UInt16
    var model: UInt32
    var payload: [UInt8]
}

extension Copy {
    init(_ record: StoredRecord) {
        self.init(
            position: record.position, type: record.type, flags: record.flags, model: record.model,
            payload: Array(record.payload))
    }

    /// Uses memcmp, because comparing elements takes most of a test's time in a debug build.
    static func == (one: Copy, other: Copy) -> Bool {
        one.position == other.position && one.type == other.type && one.flags == other.flags
            && one.model == other.model && one.payload.count == other.payload.count
            && one.payload.withUnsafeBytes { a in
                other.payload.withUnsafeBytes { b in
                    guard let a = a.baseAddress, let c = b.baseAddress else { return true }
                    return memcmp(a, c, b.count) == 0
                }
            }
    }
}

/// A value set by another thread.
final class Promise<Value: Sendable>: Sendable {
    private let value = Locked<Value?>(nil)
    private let isGiven = Condition()

    func fulfil(_ value: Value) {
        self.value.withLock { $0 = value }
        isGiven.broadcast()
    }

    func wait() -> Value { value.wait(for: isGiven) { $0 } }
}

extension Record {
    /// A record with these bytes.
    init(_ bytes: [UInt8], type: UInt16 = 1) {
        self.init(type: type, model: 5, payload: [Bytes(copying: bytes)])
    }
}

extension Journal {
    /// Appends and blocks until the callback has run.
    func appendAndWait(_ record: Record) throws(JournalError) -> Acknowledgement {
        let answer = Promise<Result<Acknowledgement, JournalError>>()
        append(record) { answer.fulfil($0) }
        return try answer.wait().get()
    }
}

/// A small journal on a simulated disk: segments of 4 KiB, some larger for one record, and payloads of many lengths.
struct SmallJournal {
    static let directory = "/j"
    let disk = SimulatedDisk()
    private(set) var records: [Copy] = []

    /// Writes one record of each size and syncs each; `sealed` closes the journal cleanly, `marked` keeps the file that
    /// says how far the journal was durable, which directories of earlier builds lack.
    init(sizes: [Int], segmentBytes: Int = 4096, sealed: Bool = true, marked: Bool = false) throws(JournalError) {
        var random = SeededGenerator(seed: 1)
        let log = try SmallJournal.open(disk, segmentBytes: segmentBytes) { _ in }
        for size in sizes {
            let payload = [UInt8].random(count: size, using: &random)
            let position = log.nextPosition
            records.append(Copy(position: position, type: 1, flags: 0, model: 5, payload: payload))
            try log.write([Submission(Record(payload))])
            try log.synchronize()
        }
        if sealed { try log.seal() }
        log.close()
        if !marked { try? disk.remove(SmallJournal.directory + "/" + FileName.durable) }
    }

    static func open(
        _ disk: SimulatedDisk, segmentBytes: Int = 4096, _ replay: (StoredRecord) throws -> Void
    ) throws(JournalError) -> SegmentLog {
        var recovery = Recovery(
            Directory(directory, on: disk), settings: JournalSettings(segmentBytes: segmentBytes), from: 1,
            resumingAt: 1)
        return try recovery.run(replay)
    }

    /// The records that an open of that disk returns, and its report.
    static func recover(_ disk: SimulatedDisk) throws(JournalError) -> (records: [Copy], report: RecoveryReport) {
        var records: [Copy] = []
        var recovery = Recovery(
            Directory(directory, on: disk), settings: JournalSettings(segmentBytes: 4096), from: 1, resumingAt: 1)
        let log = try recovery.run { records.append(Copy($0)) }
        log.close()
        return (records, recovery.report)
    }

    func path(_ segment: UInt64) -> String { SmallJournal.directory + "/" + FileName.segment(segment) }

    /// The end of the last record of a segment.
    func end(of path: String) -> Int {
        let name = String(path.dropFirst(SmallJournal.directory.count + 1))
        guard let reader = try? SegmentReader(name, in: Directory(SmallJournal.directory, on: disk)) else { return 0 }
        while case .record? = try? reader.next() {}
        return reader.offset
    }
}
