// Changes to the files by others while the journal is open: removed, moved and replaced segments, a missing lock file,
// symbolic links in place of files.

import Glibc
import Testing

@testable import Journal

@Suite("Displaced files")
struct DisplacedTests {
    private static let segment = "segment-000000000001.journal"

    /// What someone else does to the segment while the journal is open.
    enum Mishap: CaseIterable {
        case removed, moved, replacedByCopy, directoryMoved

        func befall(_ directory: TemporaryDirectory) throws {
            let path = "\(directory.path)/\(DisplacedTests.segment)"
            switch self {
            case .removed: try #require(unlink(path) == 0)
            case .moved: try #require(rename(path, path + ".away") == 0)
            case .replacedByCopy:
                let bytes = try directory.read(DisplacedTests.segment)
                try #require(unlink(path) == 0)
                try directory.write(bytes, to: DisplacedTests.segment)
            case .directoryMoved:
                try #require(rename(directory.path, directory.path + ".away") == 0)
            }
        }
    }

    @Test("nothing is acknowledged that no start would find", arguments: Mishap.allCases)
    func displaced(mishap: Mishap) throws {
        let directory = try TemporaryDirectory()
        let journal = try directory.open()
        #expect(try journal.appendAndWait(Record([1])).isDurable)
        try mishap.befall(directory)
        let expected = JournalError.displaced(file: Self.segment)
        #expect(throws: expected) { try journal.appendAndWait(Record([2])) }
        #expect(throws: expected) { try journal.appendAndWait(Record([3])) }
        #expect(journal.failure == expected)
        journal.close()
        if mishap == .directoryMoved { try #require(rename(directory.path + ".away", directory.path) == 0) }
    }

    /// A journal of several segments, and the name of one of them.
    private static func older(_ number: UInt64) throws -> (TemporaryDirectory, Journal, String) {
        let directory = try TemporaryDirectory()
        let journal = try directory.open(JournalSettings(segmentBytes: 4096))
        for _ in 0..<4 { _ = try journal.appendAndWait(Record([UInt8](repeating: 1, count: 3000))) }
        return (directory, journal, FileName.segment(number))
    }

    @Test("nor is anything acknowledged once an older segment is gone", arguments: [1, 2, 3] as [UInt64])
    func olderGone(number: UInt64) throws {
        for isMoved in [false, true] {
            let (directory, journal, name) = try Self.older(number)
            let path = "\(directory.path)/\(name)"
            try #require(isMoved ? rename(path, path + ".away") == 0 : unlink(path) == 0)
            for value in UInt8(2)..<4 {
                #expect(throws: JournalError.displaced(file: name)) { try journal.appendAndWait(Record([value])) }
            }
            journal.close()
        }
    }

    @Test("segments that the journal deletes itself are not missed")
    func deleted() throws {
        let (directory, journal, _) = try Self.older(1)
        defer { withExtendedLifetime(directory) {} }
        #expect(try journal.deleteSegments(before: 3) == 2)
        #expect(try journal.appendAndWait(Record([2])).isDurable)
        #expect(try journal.deleteSegments(before: 6) == 1)
        #expect(try journal.appendAndWait(Record([3])).isDurable)
        journal.close()
    }

    @Test("a segment that is truncated while it is open is not written any more")
    func cutShort() throws {
        let directory = try TemporaryDirectory()
        let journal = try directory.open()
        _ = try journal.appendAndWait(Record([1]))
        // Filling with zeros makes it long again: truncate it until it stays short.
        let path = "\(directory.path)/\(Self.segment)"
        repeat {
            try #require(truncate(path, 0) == 0)
            usleep(50_000)
        } while try !directory.read(Self.segment).isEmpty
        #expect(throws: JournalError.displaced(file: Self.segment)) { try journal.appendAndWait(Record([2])) }
        journal.close()
    }

    @Test("a removed lock file does not let another process in")
    func lock() throws {
        let directory = try TemporaryDirectory()
        let journal = try directory.open()
        #expect(throws: JournalError.inUse(processID: Int(getpid()))) { try directory.open() }
        try #require(unlink("\(directory.path)/LOCK") == 0)
        #expect(throws: JournalError.inUse(processID: nil)) { try directory.open() }
        journal.close()
        try directory.open().close()
    }

    @Test("files that are written are not reached through symbolic links", arguments: ["LOCK", "next.journal.tmp"])
    func links(name: String) throws {
        let (directory, elsewhere) = (try TemporaryDirectory(), try TemporaryDirectory())
        try elsewhere.write([1, 2, 3], to: "precious")
        try #require(symlink("\(elsewhere.path)/precious", "\(directory.path)/\(name)") == 0)
        try? directory.open().close()
        #expect(try elsewhere.read("precious") == [1, 2, 3])
    }
}
