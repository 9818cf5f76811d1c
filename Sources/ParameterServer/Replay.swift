// Looking into a data directory: a model as it was at any step that the journal still covers.

import ArgumentParser
import Journal
import Optimizers
import ParameterServing

/// `paramd replay DIR --model NAME [--to STEP]`.
struct Replay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild a model from a data directory, without changing anything, and print its digest.")

    @Argument(help: "The data directory; no daemon may have it open.")
    var directory: String

    @Option(help: "The model's name.")
    var model: String

    @Option(help: ArgumentHelp("Stop at this step. Default: the end.", valueName: "step"))
    var to: Int?

    func run() throws {
        do throws(JournalError) {
            let data = try DataDirectory(directory, settings: JournalSettings())
            let rewind = Rewind(data, catalogue: .builtin)
            guard let found = try rewind.image(of: model, atStep: to) else {
                throw .inaccessible(file: to.map { "\(model) at step \($0)" } ?? model, call: "replay", code: 0)
            }
            print("model \(model)  step \(found.step)  version \(found.version)  digest \(found.digest)")
        } catch {
            throw StartFailure(error, directory: directory)
        }
    }
}
