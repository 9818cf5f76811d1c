// Opening a registry on a data directory: recover, connect the log, start the keeper of snapshots.

import Journal
import Optimizers

extension ModelRegistry {
    /// Opens a data directory and recovers all its models.
    ///
    /// - Parameters:
    ///   - directory: contains journal, snapshots and checkpoints.
    ///   - configuration: the limits.
    ///   - catalogue: the available optimizers; a model on disk with another one is not served.
    ///   - report: called for snapshots and failures, on the keeper's thread.
    /// - Returns: the registry and the findings of recovery.
    /// - Throws: `inUse` if another daemon has the directory, `corrupted` with file and offset if it is damaged.
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
        // While the journal has records of a deleted model, every start replays them and needs its crash notes.
        watch?.forget(except: recovery.state.gone.union(recovery.state.models.keys))
        // The position at which these models ended is unknown, so the whole journal is kept until their files are
        // deleted.
        keeper.deleteFiles(of: recovery.retired, at: 0)
        let registry = ModelRegistry(
            assembly, directory: state, keeper: keeper, models: recovery.opened,
            unavailable: recovery.summary.unavailable)
        return (registry, recovery.summary)
    }

    /// A watch over custom rules; nil on a full disk, because a daemon must still serve pulls then.
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
