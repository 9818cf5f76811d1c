// What signals do. The first SIGTERM, SIGINT or SIGQUIT starts a drain; another one interrupts it, but only
// after a second, because wrappers send two at once. SIGHUP, SIGUSR1 and SIGUSR2 are logged and change nothing.

import Glibc
import Logging
import Threading

/// Turns signals into a graceful stop.
struct SignalWatch {
    private static let endings = [SIGTERM: "SIGTERM", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT"]
    private static let others = [SIGHUP: "SIGHUP", SIGUSR1: "SIGUSR1", SIGUSR2: "SIGUSR2"]
    /// The time in which a further signal counts as the same signal.
    private static let sameSignal: UInt64 = 1_000_000_000

    private let logger: Logger

    /// Disarms signals that would end the process, except those that request its end.
    static func ignoreOthers() {
        for number in others.keys { signal(number, SIG_IGN) }
    }

    /// Catches signals from now on: before anyone can read the listening line and send one.
    init(logger: Logger) {
        self.logger = logger
        Signals.watch(for: Array(Self.endings.keys) + Array(Self.others.keys))
    }

    /// Waits for a signal that requests the end.
    ///
    /// A second signal ends the process if it comes more than a second later.
    func wait() {
        let number = nextEnding()
        let first = Clock.now
        logger.notice("draining", metadata: ["signal": "\(Self.endings[number] ?? "\(number)")"])
        let watch = Thread {
            while true {
                _ = nextEnding()
                if Clock.now - first >= Self.sameSignal { Glibc.exit(ExitStatus.forced.rawValue) }
            }
        }
        watch?.detach()
    }

    private func nextEnding() -> Int32 {
        while true {
            let number = Signals.next()
            guard let name = Self.others[number] else { return number }
            logger.notice("ignored an unexpected signal", metadata: ["signal": "\(name)"])
        }
    }
}
