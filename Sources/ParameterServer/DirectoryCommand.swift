// Common to the subcommands for a data directory: they know the optimizers of this program, and build the models as a
// start would.

import ArgumentParser
import Glibc
import Journal
import Optimizers
import ParameterServing

/// A subcommand that works on a data directory, with the optimizers of this program's daemon.
protocol DirectoryCommand: ParsableCommand {
    func run(_ catalogue: Catalogue) throws
}

extension Rehearsal {
    /// Builds every model of a directory as a start with these settings would.
    ///
    /// - Throws: `StartFailure` if a start would be refused.
    init(_ directory: String, _ settings: EffectiveSettings, _ catalogue: Catalogue) throws(StartFailure) {
        do throws(JournalError) {
            try self.init(
                DataDirectory(reading: directory), catalogue: catalogue,
                memory: settings.configuration.serving.memoryLimit)
        } catch {
            throw StartFailure(error, directory: directory)
        }
    }

    /// Prints the models that a start would not serve.
    ///
    /// A crashed rule does not count as a fault of the files; `verify` reports it separately.
    ///
    /// - Returns: Whether every model can be built.
    func tellUnavailable() -> Bool {
        let refused = unavailable.filter { if case .refused = $0.reason { true } else { false } }
        for model in refused {
            let reason = "\(model.explanation) Its files stay in the directory."
            print("not served: model \(model.name) (\(model.uid)). \(reason)")
        }
        return refused.isEmpty
    }
}

/// Refuses a directory that no daemon has written to, without creating anything.
///
/// - Throws: `StartFailure` if there is no journal.
func checkIsDataDirectory(_ directory: String) throws {
    guard access("\(directory)/journal", F_OK) != 0, errno == ENOENT || errno == ENOTDIR else { return }
    throw StartFailure(
        status: .inputOutput,
        message:
            "\(directory): this is not a data directory of paramd, because it contains no `journal`. Use the directory that was given to --data-dir."
    )
}
