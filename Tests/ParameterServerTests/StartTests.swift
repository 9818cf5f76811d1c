// Starts that fail: the exit status and the message. Most run in this process, up to a daemon that could serve; those
// that exit run as a separate process.

import Foundation
import Glibc
import Journal
import Logging
import Optimizers
import ParameterServing
import Testing
import Threading

@testable import HTTPServing
@testable import ParameterServer

/// A command line and how it ends; `DIR` in it stands for a new directory.
struct StartExample: CustomTestStringConvertible {
    let arguments: [String]
    let status: ParameterServer.ExitStatus
    let words: String

    init(_ line: String, _ status: ParameterServer.ExitStatus, _ words: String) {
        arguments = line.split(separator: " ").map(String.init)
        (self.status, self.words) = (status, words)
    }

    var testDescription: String { arguments.joined(separator: " ") }
}

/// Calls `body` with a new directory, which is removed afterwards.
func withDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appending(path: "start-test-\(UUID().uuidString)").path()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

@Suite("Starts that fail, and commands")
struct StartTests {
    /// Runs a command line up to a daemon that could serve.
    private func start(_ arguments: [String]) throws {
        var command = try RootCommand.parseAsRoot(arguments)
        if let daemon = command as? RootCommand {
            let settings = try EffectiveSettings(daemon.flags, environment: [:]).checked()
            _ = try Daemon(settings, .builtin, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        } else if let command = command as? any DirectoryCommand {
            try command.run(.builtin)
        } else {
            try command.run()
        }
    }

    @Test(
        "a start that fails says what to change, and has the right status",
        arguments: [
            StartExample(
                "--data-dir DIR --listen 192.0.2.1:0 --insecure-no-auth", .unavailable, "not an address of this"),
            StartExample(
                "--data-dir DIR --listen unix:/nowhere/s", .unavailable, "directory of the socket does not exist"),
            StartExample(
                "--data-dir DIR --listen unix:\(String(repeating: "s", count: 108))", .unavailable,
                "is not an address to listen on. Write unix:PATH with a path of at most 107 bytes."),
            StartExample("--data-dir DIR --listen 0.0.0.0:0", .configuration, "--listen 0.0.0.0:0 can be reached from"),
            StartExample(
                "--data-dir /proc/nowhere/data --listen 127.0.0.1:0", .inputOutput, "parent directory does not"),
            StartExample("--data-dir DIR/FILE --listen 127.0.0.1:0", .inputOutput, "move it away"),
            StartExample("--data-dir DIR/BAD --listen 127.0.0.1:0", .dataDamaged, "`paramd verify` lists all damage"),
            StartExample("--receipt-window -5", .usage, "--receipt-window must be a whole number of at least 1"),
            StartExample("--memory -5", .usage, "--memory must be a number of bytes"),
            StartExample(
                "--limit models", .usage, "--limit must be NAME=VALUE, not `models`, where NAME is one of conn"),
            StartExample("--limit wait=1s", .usage, "--limit must be NAME=VALUE, not `wait=1s`"),
            StartExample("--config /nowhere.yaml", .configuration, "/nowhere.yaml cannot be read"),
            StartExample("config check DIR/FILE", .configuration, "DIR/FILE:1: memry is not a setting"),
            StartExample("verify DIR", .inputOutput, "contains no `journal`"),
            StartExample("recover --salvage DIR", .inputOutput, "contains no `journal`"),
            StartExample("replay DIR/NO --model m", .inputOutput, "DIR/NO: cannot open or read"),
            StartExample("verify DIR --memory much", .usage, "--memory must be a number of bytes"),
        ])
    func refused(example: StartExample) throws {
        try withDirectory { directory in
            try Data("memry: 1\n".utf8).write(to: URL(filePath: "\(directory)/FILE"))
            let journal = "\(directory)/BAD/journal"
            try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: true)
            try Data(repeating: 7, count: 8192).write(to: URL(filePath: "\(journal)/segment-000000000001.journal"))
            let arguments = example.arguments.map { $0.replacing("DIR", with: directory) }
            let failure = try #require(throws: StartFailure.self) { try start(arguments) }
            #expect(failure.status == example.status, "\(failure.message)")
            #expect(failure.message.replacing(directory, with: "DIR").contains(example.words), "\(failure.message)")
        }
    }

    @Test(
        "a start that the system refuses threads, files or memory names the limit to raise",
        arguments: [
            (JournalError.inaccessible(file: "the journal thread", call: "pthread_create", code: EAGAIN), "ulimit -u"),
            (.outOfResources(file: "the snapshot thread", call: "pthread_create", code: EAGAIN), "ulimit -u"),
            (.outOfResources(file: "a segment", call: "open", code: EMFILE), "ulimit -n"),
            (.outOfResources(file: "an image", call: "mmap", code: ENOMEM), "ulimit -v"),
        ])
    func refusedResources(error: JournalError, limit: String) {
        let failure = StartFailure(error, directory: "/data")
        #expect(failure.status == .inputOutput)
        #expect(failure.message.contains("(\(limit)") && !failure.message.contains("the disk"), "\(failure.message)")
    }

    @Test(
        "a flag that does not exist is refused with the one that is meant",
        arguments: [
            ("--memry=1G", "--memory"), ("--datadir=x", "--data-dir"), ("--receipts-window=1", "--receipt-window"),
            ("--insecure-no-aut", "--insecure-no-auth"), ("--limits=keys=1", "--limit"),
        ])
    func misspelt(argument: String, meant: String) throws {
        let error = try #require(throws: (any Error).self) { try RootCommand.parseAsRoot([argument]) }
        #expect(RootCommand.exitCode(for: error).rawValue == ParameterServer.ExitStatus.usage.rawValue)
        #expect(
            RootCommand.message(for: error).contains("Did you mean '\(meant)'?"), "\(RootCommand.message(for: error))")
    }

    @Test("an address or a directory that another daemon has is refused, with nothing changed")
    func taken() throws {
        try withDirectory { directory in
            let first = try Listener(.tcp(host: "127.0.0.1", port: 0))
            defer { first.close() }
            try first.listen()
            let failure = try #require(throws: StartFailure.self) {
                try start(["--data-dir", "\(directory)/data", "--listen", "\(first.address)"])
            }
            #expect(failure.status == .unavailable && failure.message.contains("already listens there"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/data"))
        }
        try withDirectory { directory in
            let other = try DataDirectory(directory, settings: JournalSettings())
            let before = try FileManager.default.subpathsOfDirectory(atPath: directory).sorted()
            let failure = try #require(throws: StartFailure.self) {
                try start(["--data-dir", directory, "--listen", "127.0.0.1:0"])
            }
            #expect(failure.status == .unavailable && failure.message.contains("in use by process \(getpid())"))
            #expect(try FileManager.default.subpathsOfDirectory(atPath: directory).sorted() == before)
            withExtendedLifetime(other) {}
        }
    }
}

@Suite("The daemon as a process")
struct RunTests {
    @Test("run exits with the status of a refusal, and reports it on standard error")
    func refused() async throws {
        let usage = await #expect(processExitsWith: .exitCode(64), observing: [\.standardErrorContent]) {
            run(arguments: ["--memory", "1"])
        }
        let words = String(decoding: usage?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.hasPrefix("paramd: --memory must be at least 1M"), "\(words)")
        await #expect(processExitsWith: .exitCode(64)) { run(arguments: ["--no-such-flag"]) }
        await #expect(processExitsWith: .exitCode(78)) { run(arguments: ["--listen", "nowhere"]) }
        await #expect(processExitsWith: .success) { run(arguments: ["--version"]) }
    }

    @Test("other signals change nothing; the first that asks to stop drains the daemon, which exits with 0")
    func signals() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "run-test-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let ended = await #expect(
            processExitsWith: .exitCode(0), observing: [\.standardOutputContent, \.standardErrorContent]
        ) { [directory = directory as String] in
            Threading.Thread {
                for number in [SIGHUP, SIGUSR1, SIGTERM] {
                    // Until the daemon catches it, the signal would end the process or be ignored.
                    while !RunTests.isCaught(number) { usleep(1000) }
                    kill(getpid(), number)
                }
            }?.detach()
            run(arguments: ["--data-dir", directory, "--listen", "127.0.0.1:0"])
        }
        let log = String(decoding: ended?.standardErrorContent ?? [], as: UTF8.self)
        let line = String(decoding: ended?.standardOutputContent ?? [], as: UTF8.self)
        #expect(line.contains("listening on http://127.0.0.1:"), "\(line)")
        for words in ["signal=SIGHUP", "signal=SIGUSR1", "draining", "signal=SIGTERM", "stopped"] {
            #expect(log.contains(words), "\(words) is missing: \(log)")
        }
    }

    /// Whether a signal has a handler, and is neither ignored nor left to its default action.
    private static func isCaught(_ number: Int32) -> Bool {
        var action = sigaction()
        sigaction(number, nil, &action)
        return action.__sigaction_handler.sa_handler != nil
            && unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) > 1
    }
}
