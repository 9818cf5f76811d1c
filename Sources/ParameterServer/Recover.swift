// The explicit repair of a directory that does not open: moves damaged data aside, then tries the rest as a start
// would.

import ArgumentParser
import Journal
import Optimizers
import ParameterServing

/// `paramd recover --salvage DIR`.
struct Recover: DirectoryCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a damaged directory usable again by dropping what is damaged and what follows it.")

    @Argument(help: "The data directory.")
    var directory: String

    @Flag(
        help:
            "Keep the records before the damage, move the rest and damaged snapshots aside, and drop what is missing."
    )
    var salvage = false

    @ParentCommand var daemon: RootCommand

    func validate() throws {
        if !salvage { throw ValidationError("Nothing is dropped without --salvage.") }
    }

    func run(_ catalogue: Catalogue) throws {
        try checkIsDataDirectory(directory)
        let settings = try EffectiveSettings(daemon.flags)
        do {
            let report = try DirectorySalvage.run(directory)
            if let problem = report.problem { print("kept everything before: \(problem)") }
            for what in report.givenUp { print("dropped: \(what)") }
            for file in report.movedAside { print("moved aside: \(file)") }
            let isServed = try Rehearsal(directory, settings, catalogue).tellUnavailable()
            if report.isIntact { print("nothing to do: the directory is \(isServed ? "intact" : "not damaged")") }
        } catch let error as JournalError {
            throw StartFailure(error, directory: directory)
        }
    }
}
