// Named places on the way of a record to the disk, where a debug build can be made to die as by kill -9. A test starts
// the daemon with PARAMD_FAIL=NAME, or NAME@N for the N-th time that the place is reached, starts it again, and compares
// what is there with what was acknowledged (Tests/conformance/test_faults_points.py). Release builds hold none of it.

import Glibc
import Threading

/// A place where the process may end.
package enum Failpoint: String, Sendable {
    /// A record has been judged, nothing of it is written.
    case beforeLog = "before-log"
    /// A batch of records is written and not synced.
    case afterWrite = "after-write"
    /// A batch is synced, and no one knows.
    case afterSync = "after-sync"
    /// A model has a logged command before it.
    case beforeApply = "before-apply"
    /// A model has applied and published a command, and not answered.
    case afterApply = "after-apply"
    /// A new segment has its name, and no record.
    case segmentNamed = "segment-named"
    /// A part of a snapshot or checkpoint is written.
    case snapshotPart = "snapshot-part"
    /// A snapshot or checkpoint is whole, synced and verified, and has no name.
    case snapshotWritten = "snapshot-written"
    /// A snapshot or checkpoint has its name.
    case snapshotNamed = "snapshot-named"
    /// An old snapshot is gone.
    case snapshotDeleted = "snapshot-deleted"
    /// The segments that no model needs are still there.
    case beforeDeletion = "before-segment-deletion"
    /// One of them is gone.
    case segmentDeleted = "segment-deleted"
    /// A start has replayed the journal, and not served yet.
    case recovered

    /// Ends the process here if the environment says so.
    package static func reach(_ point: Failpoint) {
        #if DEBUG
            armed?.reach(point)
        #endif
    }

    #if DEBUG
        private static let armed = Armed(getenv("PARAMD_FAIL").map { String(cString: $0) })

        /// Which place, and how often it may still be passed.
        private final class Armed: Sendable {
            let point: Failpoint
            let passes: Locked<Int>

            init?(_ text: String?) {
                let parts = (text ?? "").split(separator: "@")
                guard let name = parts.first, let point = Failpoint(rawValue: String(name)) else { return nil }
                self.point = point
                passes = Locked(parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
            }

            func reach(_ reached: Failpoint) {
                guard reached == point else { return }
                let isLast = passes.withLock { passes in
                    passes -= 1
                    return passes == 0
                }
                if isLast { kill(getpid(), SIGKILL) }
            }
        }
    #endif
}
