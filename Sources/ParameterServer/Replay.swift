// Shows a model from a data directory as it was at any step that the journal still covers.

import ArgumentParser
import Journal
import Optimizers
import ParameterServing

/// `paramd replay DIR --model NAME [--to STEP]`.
struct Replay: DirectoryCommand {
    static let configuration = CommandConfiguration(
        abstract: "Rebuild a model from a data directory, without changing anything, and print its digest.")

    @Argument(help: "The data directory.")
    var directory: String

    @Option(help: "The name of the model.")
    var model: String

    @Option(help: ArgumentHelp("Stop at this step. Default: the last one.", valueName: "step"))
    var to: Int?

    @Option(
        help: ArgumentHelp(
            "The --receipt-window of the daemon; the digest covers the receipts it keeps. Default: the setting.",
            valueName: "count"))
    var receipts: Int?

    @Option(
        help: ArgumentHelp(
            "The --limit keys of the daemon; the digest covers the answers it keeps. Default: the setting.",
            valueName: "count"))
    var keys: Int?

    @ParentCommand var daemon: RootCommand

    func validate() throws {
        guard receipts ?? 1 > 0, keys ?? 1 > 0 else {
            throw ValidationError("--receipts and --keys must be at least 1.")
        }
    }

    /// Rebuilds the model with the optimizers of this program's daemon.
    func run(_ catalogue: Catalogue) throws {
        let serving = try EffectiveSettings(daemon.flags).configuration.serving
        do {
            let history = HistoryReader(
                DataDirectory(reading: directory), catalogue: catalogue,
                receiptWindow: receipts ?? serving.receiptWindow, requestKeys: keys ?? serving.requestKeys)
            guard let found = try history.image(of: model, atStep: to) else {
                throw StartFailure(
                    status: .inputOutput,
                    message: "\(directory): no snapshot or record contains model `\(model)`"
                        + (to.map { " at step \($0)" } ?? ""))
            }
            let remark = found.isDeleted ? "  (deleted later)" : ""
            print("model \(model)  step \(found.step)  version \(found.version)  digest \(found.digest)\(remark)")
        } catch let error as ServingError {
            throw StartFailure(status: .dataDamaged, message: "\(directory): model `\(model)`: \(error.reason)")
        } catch let error as JournalError {
            throw StartFailure(error, directory: directory)
        }
    }
}
