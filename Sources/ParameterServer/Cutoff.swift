// The end that comes in any case. A drain waits for what is under way; an update, a snapshot or a disk may take longer than
// whoever stops the daemon waits before it kills.

import Glibc
import Logging
import Threading

/// Ends the process a little later, whatever still runs in it.
struct Cutoff {
    /// From the signal to the closing of the journal, which keeps all that has been logged.
    private static let closing: UInt64 = 1_300_000_000
    /// From the signal to the end of the process.
    private static let end: UInt64 = 1_700_000_000

    /// Starts to count.
    ///
    /// - Parameters:
    ///   - logger: told of an end that comes this way.
    ///   - close: closes the journal; called while other threads still run, after the drain has had its time.
    static func arm(_ logger: Logger, closing close: @escaping @Sendable () -> Void) {
        let timers = Timers.process
        let start = timers.now
        // Closing waits for the disk, and the end must come in any case.
        timers.set(Timer { _ in Thread(close)?.detach() }, at: start + closing)
        let stop = Timer { _ in
            logger.warning("stopped while requests were still running; what was logged is kept")
            _exit(0)
        }
        timers.set(stop, at: start + end)
    }
}
