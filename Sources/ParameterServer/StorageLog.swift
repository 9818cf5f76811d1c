// What the storage tells, as log lines: one when something goes wrong and one when it is right again, however many pushes
// meet it in between.

import Journal
import Logging
import Names
import ParameterServing
import Threading

/// Writes events of the storage into the log.
final class StorageLog: Sendable {
    private let logger: Logger
    /// What has been told and not been mended since.
    private let told = Locked(Set<String>())

    init(_ logger: Logger) { self.logger = logger }

    /// One line for an event, unless the log has it already.
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

    /// What a recovery found that someone should look at.
    func log(_ summary: RecoverySummary) {
        if summary.tornBytes > 0 {
            logger.notice(
                "a crash cut the last record short; it was never acknowledged",
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
                "the model \(model.name) is not served; its files are kept, and all other models are served",
                metadata: ["uid": "\(model.uid)", "reason": "\(model.explanation)"])
        }
        for model in summary.missing {
            logger.error(
                "this model was dropped by a salvage: it has no snapshot, and its first records are missing from the journal",
                metadata: ["model": "\(model)"])
        }
    }

    /// The most lines about damage of one kind.
    private static let mostLines = 10

    private func warn(_ what: String, of damage: [String]) {
        for reason in damage.prefix(Self.mostLines) { logger.warning("\(what)", metadata: ["reason": "\(reason)"]) }
        guard damage.count > Self.mostLines else { return }
        logger.warning("\(what); `paramd verify` names all", metadata: ["more": "\(damage.count - Self.mostLines)"])
    }

    /// Names of --without-model that leave nothing out.
    func warn(of unknown: Set<Name>) {
        for name in unknown.sorted() {
            logger.warning("--without-model \(name) has no effect: the directory has no model of that name")
        }
    }
}
