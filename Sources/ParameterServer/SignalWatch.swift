// The first SIGTERM or SIGINT drains, the second exits at once: whoever presses Ctrl-C twice means it.

import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Turns signals into an orderly stop.
struct SignalWatch {
    let group: ServiceGroup
    let logger: Logger

    /// Waits for signals until the task is cancelled.
    func run() async {
        var isDraining = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            if isDraining { Glibc.exit(ExitStatus.forced.rawValue) }
            isDraining = true
            logger.notice("draining", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
