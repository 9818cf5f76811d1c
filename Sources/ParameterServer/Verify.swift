// Checks a data directory: every byte, then everything that a start would build from it. Read-only; works while a
// daemon has the directory open.

import ArgumentParser
import Glibc
import Journal
import Optimizers
import ParameterServing

/// `paramd verify DIR`.
struct Verify: DirectoryCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check every byte of a data directory, and build every model in it as a start would.",
        discussion: """
            Exits with 0 if everything is intact and with 65 if something is damaged or missing, or if a model cannot be \
            built. The models are built in memory; --memory limits them as it does for a start.
            """)

    @Argument(help: "The data directory.")
    var directory: String

    @ParentCommand var daemon: RootCommand

    func run(_ catalogue: Catalogue) throws {
        let settings = try EffectiveSettings(daemon.flags)
        try checkIsDataDirectory(directory)
        var isIntact = true
        for part in ["journal", "snapshots", "checkpoints"] {
            do {
                let report = try Journal.verify(directory: "\(directory)/\(part)")
                print("\(part): \(report.files.count) files, \(report.records) records, \(report.bytes) bytes")
                for problem in report.problems { print("  damaged: \(problem)") }
                if let tail = report.tornTail {
                    print(
                        "  a crash truncated the last record: \(tail.bytes) bytes at offset \(tail.offset) will be dropped"
                    )
                }
                isIntact = isIntact && report.isIntact
            } catch {
                throw StartFailure(error, directory: "\(directory)/\(part)")
            }
        }
        if isIntact { isIntact = try isComplete() && canBeServed(settings, catalogue) } else { tellGaps() }
        if !isIntact { throw ArgumentParser.ExitCode(ExitStatus.dataDamaged.rawValue) }
        print("all intact")
    }

    /// Prints what else is missing, as far as the damaged directory can be read.
    private func tellGaps() {
        for gap in (try? DataDirectory(reading: directory).gaps()) ?? [] { print("missing: \(gap)") }
    }

    private func isComplete() throws -> Bool {
        do {
            let data = DataDirectory(reading: directory)
            for crash in data.ruleCrashes {
                print(
                    "the rule \(crash.rule) crashed in the update of model \(crash.uid) to step \(crash.step); that program starts without the model"
                )
            }
            let gaps = try data.gaps()
            for gap in gaps { print("missing: \(gap)") }
            return gaps.isEmpty
        } catch {
            throw StartFailure(error, directory: directory)
        }
    }

    private func canBeServed(_ settings: EffectiveSettings, _ catalogue: Catalogue) throws -> Bool {
        let rehearsal = try Rehearsal(directory, settings, catalogue)
        let noun = rehearsal.models == 1 ? "model" : "models"
        print("\(rehearsal.models) \(noun) built as a start would build them")
        return rehearsal.tellUnavailable()
    }
}
