// Looking into a data directory: a model as it was at any step that the journal still covers.

import ArgumentParser
import Journal
import Optimizers
import ParameterServing

/// `paramd replay DIR --model NAME [--to STEP]`.
struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild a model from a data directory, without changing anything, and print its digest.")

    @Argument(help: "The data directory.")
    var directory: String

    @Option(help: "The model's name.")
    var model: String

    @Option(help: ArgumentHelp("Stop at this step. Default: the end.", valueName: "step"))
    var to: Int?

    func run() throws {
        do {
            let rewind = Rewind(DataDirectory(reading: directory), catalogue: .builtin)
            guard let found = try rewind.image(of: model, atStep: to) else {
                throw JournalError.inaccessible(
                    file: to.map { "\(model) at step \($0)" } ?? model, call: "replay", code: 0)
            }
            print("model \(model)  step \(found.step)  version \(found.version)  digest \(found.digest)")
        } catch let error as JournalError {
            throw StartFailure(error, directory: directory)
        }
    }
}
