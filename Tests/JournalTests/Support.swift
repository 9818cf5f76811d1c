// What the tests of this target share: a directory that goes away, records as values, appends that wait.

import Glibc

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
}

extension Journal {
    /// Appends and blocks until the callback has run.
    func appendAndWait(_ record: Record) throws(JournalError) -> Acknowledgement {
        let answer = Lock<Result<Acknowledgement, JournalError>?>(nil)
        append(record) { result in
            answer.withLock { $0 = result }
            answer.signal()
        }
        guard let result = answer.wait(until: nil, { $0 }) else { throw .closed }
        return try result.get()
    }
}
