// The forced end of a stop. A drain waits for requests in progress; an update, a snapshot or a disk may take longer
// than the supervisor waits before it kills.

import Glibc
import Logging
import Threading

/// Ends the process after a time limit, whatever is still running.
struct Cutoff {
    /// The time from the signal to closing the journal, which keeps everything logged.
    private static let closing: UInt64 = 1_300_000_000
    /// The time from the signal to the end of the process.
    private static let end: UInt64 = 1_700_000_000

    /// Starts the countdown.
    ///
    /// - Parameters:
    ///   - logger: receives a warning when the process ends this way.
    ///   - close: closes the journal; called while other threads still run, after the drain has had its time.
    static func arm(_ logger: Logger, closing close: @escaping @Sendable () -> Void) {
        let timers = Timers.process
        let start = timers.now
        // Closing waits for the disk, but the process must end anyway.
        timers.set(Timer { _ in Thread(close)?.detach() }, at: start + closing)
        let stop = Timer { _ in
            logger.warning("stopped while requests were still running; logged changes are not lost")
            _exit(0)
        }
        timers.set(stop, at: start + end)
    }
}
