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
        let start = Clock.now
        Thread {
            sleep(until: start + closing)
            close()
        }?.detach()
        Thread {
            sleep(until: start + end)
            logger.warning("stopped while requests were still running; what was logged is kept")
            _exit(0)
        }?.detach()
    }

    private static func sleep(until time: UInt64) {
        while Clock.now < time { usleep(useconds_t(min(time - Clock.now, 100_000_000) / 1_000 + 1)) }
    }
}
