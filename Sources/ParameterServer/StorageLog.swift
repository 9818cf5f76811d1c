// Events of the storage as log lines: one when something fails and one when it works again, however many pushes are
// affected in between.

import Journal
import Logging
import Names
import ParameterServing
import Threading

/// Writes events of the storage into the log.
final class StorageLog: Sendable {
    private let logger: Logger
    /// Reported failures that still persist.
    private let told = Locked(Set<String>())

    init(_ logger: Logger) { self.logger = logger }

    /// Logs an event, unless it has been logged already.
    func log(_ event: StorageEvent) {
        switch event {
        case .snapshot(let model, let step, let bytes):
            logger.debug("snapshot", metadata: ["model": "\(model)", "step": "\(step)", "bytes": "\(bytes)"])
        case .failed(let what, let failure):
            guard told.withLock({ $0.insert(what).inserted }) else { return }
            logger.error("\(what) failed; the journal keeps everything", metadata: ["reason": "\(failure)"])
        case .done(let what):
            if told.withLock({ $0.remove(what) }) != nil { logger.notice("\(what) works again") }
        case .obstructed(let failure, let heals):
            logger.error(
                heals
                    ? "pushes are refused until this is resolved; pulls continue"
                    : "nothing is written until the next start; pulls continue",
                metadata: ["reason": "\(failure)"])
        case .healed:
            logger.notice("pushes are accepted again")
        }
    }

    /// Logs the findings of a recovery that need attention.
    func log(_ summary: RecoverySummary) {
        if summary.tornBytes > 0 {
            logger.notice(
                "a crash truncated the last record; it was never acknowledged",
                metadata: ["torn_bytes": "\(summary.tornBytes)"])
        }
        if summary.skippedVersions > 0 {
            logger.warning(
                "the last run crashed before everything was synced; all models continue at higher versions",
                metadata: ["skipped_versions": "\(summary.skippedVersions)"])
        }
        if summary.lostPositions > 0 {
            logger.warning(
                "the journal ends before what snapshots cover: records are lost",
                metadata: ["lost_positions": "\(summary.lostPositions)"])
        }
        warn("damaged snapshot, an older one was used", of: summary.damaged)
        warn(
            "damaged checkpoint, which cannot be restored; GET .../checkpoints lists it, DELETE removes it",
            of: summary.damagedCheckpoints.map { "\($0.file): \($0.reason)" })
        for model in summary.unavailable {
            logger.error(
                "the model \(model.name) is not served; its files stay in the directory, and all other models are served",
                metadata: ["uid": "\(model.uid)", "reason": "\(model.explanation)"])
        }
        for model in summary.missing {
            logger.error(
                "this model was dropped by a salvage: it has no snapshot, and its first records are missing from the journal",
                metadata: ["model": "\(model)"])
        }
    }

    /// The most lines about one kind of damage.
    private static let mostLines = 10

    private func warn(_ what: String, of damage: [String]) {
        for reason in damage.prefix(Self.mostLines) { logger.warning("\(what)", metadata: ["reason": "\(reason)"]) }
        guard damage.count > Self.mostLines else { return }
        logger.warning("\(what); `paramd verify` names all", metadata: ["more": "\(damage.count - Self.mostLines)"])
    }

    /// Logs names in --without-model that match no model.
    func warn(of unknown: Set<Name>) {
        for name in unknown.sorted() {
            logger.warning("--without-model \(name) has no effect: the directory has no model of that name")
        }
    }
}
