// Named places on a record's way to disk, where a debug build can be made to die as if by kill -9. A test starts the
// daemon with PARAMD_FAIL=NAME, or NAME@N for the N-th time that the place is reached, restarts it, and compares the
// state with what was acknowledged (Tests/conformance/test_faults_points.py). Release builds contain none of this.

import Glibc
import Threading

/// A place where the process may be killed.
package enum Failpoint: String, Sendable {
    /// A record has been decided; nothing of it is written.
    case beforeLog = "before-log"
    /// A batch of records is written but not synced.
    case afterWrite = "after-write"
    /// A batch is synced but not acknowledged.
    case afterSync = "after-sync"
    /// A model has a logged command to apply.
    case beforeApply = "before-apply"
    /// A model has applied and published a command but not answered.
    case afterApply = "after-apply"
    /// A new segment has its name but no record.
    case segmentNamed = "segment-named"
    /// Part of a snapshot or checkpoint is written.
    case snapshotPart = "snapshot-part"
    /// A snapshot or checkpoint is complete and synced, but has no name.
    case snapshotWritten = "snapshot-written"
    /// A snapshot or checkpoint has its name.
    case snapshotNamed = "snapshot-named"
    /// An old snapshot is deleted.
    case snapshotDeleted = "snapshot-deleted"
    /// The segments that no model needs are about to be deleted.
    case beforeDeletion = "before-segment-deletion"
    /// One of those segments is deleted.
    case segmentDeleted = "segment-deleted"
    /// A start has replayed the journal but does not serve yet.
    case recovered

    /// Kills the process here if the environment says so.
    package static func reach(_ point: Failpoint) {
        #if DEBUG
            armed?.reach(point)
        #endif
    }

    #if DEBUG
        private static let armed = Armed(getenv("PARAMD_FAIL").map { String(cString: $0) })

        /// The chosen place, and how many times it may still be passed.
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
