// The first SIGTERM or SIGINT drains, the second exits at once: whoever presses Ctrl-C twice means it.

import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// Turns signals into an orderly stop.
struct SignalWatch {
    private let signals: UnixSignalsSequence
    private let group: ServiceGroup
    private let logger: Logger

    /// Catches signals from now on: before anybody can read the listening line and send one.
    init(group: ServiceGroup, logger: Logger) async {
        signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        self.group = group
        self.logger = logger
    }

    /// Acts on signals until the task is cancelled.
    func run() async {
        var isDraining = false
        for await signal in signals {
            if isDraining { Glibc.exit(ExitStatus.forced.rawValue) }
            isDraining = true
            logger.notice("draining", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
