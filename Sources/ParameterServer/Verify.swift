// Looking after a data directory that no daemon has open: check every byte, and cut off what is damaged when told to.

import ArgumentParser
import Glibc
import Journal
import ParameterServing

/// `paramd verify DIR`.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every byte of a data directory.",
        discussion: "Exits with 0 when all is intact and with 65 when something is damaged or missing.")

    @Argument(help: "The data directory.")
    var directory: String

    func run() throws {
        try checkIsDataDirectory(directory)
        var isIntact = true
        for part in ["journal", "snapshots", "checkpoints"] {
            do {
                let report = try Journal.verify(directory: "\(directory)/\(part)")
                print("\(part): \(report.files.count) files, \(report.records) records, \(report.bytes) bytes")
                for problem in report.problems { print("  damaged: \(problem)") }
                if let tail = report.tornTail {
                    print(
                        "  a crash cut the last record short: \(tail.bytes) bytes at offset \(tail.offset) will be dropped"
                    )
                }
                isIntact = isIntact && report.isIntact
            } catch {
                throw StartFailure(error, directory: "\(directory)/\(part)")
            }
        }
        if isIntact { isIntact = try isComplete() }
        if !isIntact { throw ArgumentParser.ExitCode(ExitStatus.dataDamaged.rawValue) }
        print("all intact")
    }

    private func isComplete() throws -> Bool {
        do {
            let data = DataDirectory(reading: directory)
            for crash in data.ruleCrashes {
                print(
                    "the rule \(crash.rule) crashed in the update of model \(crash.uid) to step \(crash.step): that program starts without the model"
                )
            }
            let gaps = try data.gaps()
            for gap in gaps { print("missing: \(gap)") }
            return gaps.isEmpty
        } catch {
            throw StartFailure(error, directory: directory)
        }
    }
}

/// `paramd recover --salvage DIR`.
struct Recover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a damaged directory usable again by giving up what is damaged and what follows it.")

    @Argument(help: "The data directory.")
    var directory: String

    @Flag(
        help:
            "Keep the records before the damage and move the rest aside, damaged snapshots too; give up what is missing."
    )
    var salvage = false

    func validate() throws {
        if !salvage { throw ValidationError("Nothing is given up unless you say --salvage.") }
    }

    func run() throws {
        try checkIsDataDirectory(directory)
        do {
            let report = try Salvage.run(directory)
            if let problem = report.problem { print("kept everything before: \(problem)") }
            for what in report.givenUp { print("given up: \(what)") }
            for file in report.movedAside { print("moved aside: \(file)") }
            if report.isIntact { print("nothing to do: the directory is intact") }
        } catch {
            throw StartFailure(error, directory: directory)
        }
    }
}

/// Refuses what no daemon has written to: there is nothing to check, and nothing to make there either.
///
/// - Throws: `StartFailure` where there is no journal.
private func checkIsDataDirectory(_ directory: String) throws {
    guard access("\(directory)/journal", F_OK) != 0, errno == ENOENT || errno == ENOTDIR else { return }
    throw StartFailure(
        status: .inputOutput,
        message:
            "\(directory): this is not a data directory of paramd, for it has no `journal` inside. Write the directory that --data-dir named."
    )
}
