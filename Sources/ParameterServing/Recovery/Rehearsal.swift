// The result of a start, found by doing all of it except the writing. Used by `paramd verify` and `paramd recover`,
// which must not call a directory intact that no daemon can serve.

import Journal
import Optimizers

/// The outcome of a start that changes nothing on disk.
public struct Rehearsal: Sendable {
    /// The number of models that a start would serve.
    public let models: Int
    /// The models that it would not serve, by name.
    public let unavailable: [UnavailableModel]

    /// Builds every model of a directory, perhaps of one that a daemon has open, and releases them again.
    ///
    /// A running daemon may delete files between two looks, so a failure counts only if it is repeated.
    ///
    /// - Parameters:
    ///   - directory: the directory.
    ///   - catalogue: the optimizers that its models may use.
    ///   - memory: the most bytes that the models may use together.
    /// - Throws: the errors of a start.
    public init(_ directory: DataDirectory, catalogue: Catalogue, memory: Int) throws(JournalError) {
        var looksLeft = 3
        while true {
            let assembly = ModelAssembly(ServingConfiguration(memoryLimit: memory), catalogue)
            defer { assembly.executor.stop() }
            let recovery = DirectoryRecovery(directory, assembly)
            do throws(JournalError) {
                try recovery.rehearse()
                self.init(recovery.summary)
                return
            } catch {
                looksLeft -= 1
                guard looksLeft > 0 else { throw error }
            }
        }
    }

    private init(_ summary: RecoverySummary) {
        models = summary.models
        unavailable = summary.unavailable
    }
}
