// What the storage tells, as log lines.

import Logging
import ParameterServing

extension Logger {
    func log(_ event: StorageEvent) {
        switch event {
        case .snapshot(let model, let step, let bytes):
            debug("snapshot", metadata: ["model": "\(model)", "step": "\(step)", "bytes": "\(bytes)"])
        case .failed(let what, let failure):
            error("\(what) failed; the journal keeps everything", metadata: ["reason": "\(failure)"])
        }
    }

    /// One line for a whole recovery.
    func log(_ summary: RecoverySummary) {
        info(
            "recovered",
            metadata: [
                "models": "\(summary.models)", "snapshots": "\(summary.snapshots)", "records": "\(summary.records)",
                "torn_bytes": "\(summary.tornBytes)", "lost_positions": "\(summary.lostPositions)",
                "ms": "\(Int(summary.duration / .milliseconds(1)))",
            ])
        if summary.lostPositions > 0 {
            warning(
                "the journal ends before what snapshots cover: records are lost",
                metadata: ["lost_positions": "\(summary.lostPositions)"])
        }
        for damage in summary.damaged {
            warning("damaged snapshot, an older one was used", metadata: ["reason": "\(damage)"])
        }
        for model in summary.missing {
            error(
                "a salvage gave this model up: no snapshot of it is left, and the journal does not begin with it",
                metadata: ["model": "\(model)"])
        }
    }
}
