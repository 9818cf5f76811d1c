// The log lines of a failing disk: one when it starts to fail and one when it works again, whatever failed.

import Journal
import Logging
import Testing
import Threading

@testable import ParameterServer
@testable import ParameterServing

@Suite("Storage log")
struct StorageLogTests {
    /// Keeps levels and messages.
    private struct Memory: LogHandler {
        let lines: Locked<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        init(_ lines: Locked<[String]>) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.withLock { $0.append("\(event.level): \(event.message)") }
        }
    }

    @Test(
        "a lasting failure is one error and one recovery, and can happen again",
        arguments: [
            "snapshot of m", "removing snapshots",
        ])
    func once(what: String) {
        let lines = Locked<[String]>([])
        let log = StorageLog(Logger(label: "test") { _ in Memory(lines) })
        log.log(.done(what))
        #expect(lines.withLock { $0 } == [])
        for _ in 0..<2 {
            for _ in 0..<3 { log.log(.failed(what, .closed)) }
            for _ in 0..<3 { log.log(.done(what)) }
        }
        let both = ["error: \(what) failed; the journal keeps everything", "notice: \(what) works again"]
        #expect(lines.withLock { $0 } == both + both)
    }
}
