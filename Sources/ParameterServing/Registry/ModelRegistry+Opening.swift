// Opening a registry on a data directory: recover, then connect the log, then start to keep snapshots.

import Journal
import Optimizers

extension ModelRegistry {
    /// Opens a data directory and brings back every model in it.
    ///
    /// - Parameters:
    ///   - directory: where journal, snapshots and checkpoints are.
    ///   - configuration: the bounds.
    ///   - catalogue: the optimizers that may be asked for; a model on disk of another one is not served.
    ///   - report: told of snapshots and failures, on the keeper's thread.
    /// - Returns: the registry and what recovery found.
    /// - Throws: `inUse` where another daemon has the directory, `corrupted` with file and offset where it is damaged.
    public static func open(
        _ directory: DataDirectory, configuration: ServingConfiguration, catalogue: Catalogue,
        report: @escaping @Sendable (StorageEvent) -> Void
    ) throws(JournalError) -> (ModelRegistry, RecoverySummary) {
        let watch = catalogue.hasOwnCode ? try watchRules(directory, report) : nil
        let assembly = ModelAssembly(configuration, catalogue, watch: watch)
        let recovery = DirectoryRecovery(directory, assembly)
        let journal = try recovery.run()
        Failpoint.reach(.recovered)
        var state = recovery.state
        let uids = state.beginUIDs()
        let first = try Journal.firstSegment(directory: directory.journalPath, on: directory.disk)
        let keeper = try SnapshotKeeper(
            directory, journal, uids: uids, keys: state.keys.entries, logged: recovery.logged,
            firstPosition: first?.position ?? 1, configuration: configuration, report: report)
        if recovery.state.uids == nil { try keeper.write(Census(), covering: 0) }
        assembly.log.attach(journal, keeper, settings: directory.settings)
        journal.watchObstacle { error in
            report(error.map { .obstructed($0, heals: $0.heals) } ?? .healed)
        }
        for model in recovery.opened {
            keeper.watch(
                model, coveredTo: recovery.covered[model.uid] ?? model.firstPosition, mark: recovery.mark(of: model),
                coveredMark: recovery.coveredMark(of: model))
        }
        for model in recovery.summary.unavailable {
            keeper.shelve(model, from: recovery.firstRecordNeeded(by: model))
        }
        // The records of a model that is gone are replayed as long as the journal has them.
        watch?.forget(except: recovery.state.gone.union(recovery.state.models.keys))
        // Where the journal tells of their end is not known any more; all of it stays until their files are gone.
        keeper.deleteFiles(of: recovery.retired, at: 0)
        let registry = ModelRegistry(
            assembly, directory: state, keeper: keeper, models: recovery.opened,
            unavailable: recovery.summary.unavailable)
        return (registry, recovery.summary)
    }

    /// A watch over users' rules; nil on a full disk, which must not keep a daemon from starting to serve pulls.
    private static func watchRules(
        _ directory: DataDirectory, _ report: (StorageEvent) -> Void
    ) throws(JournalError) -> RuleWatch? {
        do throws(JournalError) {
            return try RuleWatch(directory)
        } catch {
            guard error.heals else { throw error }
            report(.failed("noting which rules run", error))
            return nil
        }
    }
}
