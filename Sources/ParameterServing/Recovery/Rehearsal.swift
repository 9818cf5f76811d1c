// What a start would make of a directory, found by doing all of it but the writing. Called by `paramd verify` and by
// `paramd recover`, which must not call a directory intact that no daemon can serve.

import Journal
import Optimizers

/// The outcome of a start that changes nothing on disk.
public struct Rehearsal: Sendable {
    /// How many models a start would serve.
    public let models: Int
    /// The models that it would not serve, by name.
    public let unavailable: [UnavailableModel]

    /// Builds every model of a directory, perhaps of one that a daemon has open, and lets go of them again.
    ///
    /// A daemon may delete files between two looks at them, so that it takes several to tell that something is wrong.
    ///
    /// - Parameters:
    ///   - directory: the directory.
    ///   - catalogue: the optimizers that its models may use.
    ///   - memory: what the models may take together, in bytes.
    /// - Throws: what a start would throw.
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
