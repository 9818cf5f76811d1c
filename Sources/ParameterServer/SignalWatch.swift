// Signals, read from a pipe. The first SIGTERM, SIGINT or SIGQUIT starts a drain; another one interrupts it, but only
// after a second, because wrappers send two at once. SIGHUP, SIGUSR1 and SIGUSR2 are logged and change nothing.

import Glibc
import Logging
import Threading

/// Passes signals from a handler, which may do almost nothing, to a thread that may do anything.
private let pipeEnds: (reading: Int32, writing: Int32) = {
    var ends: [Int32] = [-1, -1]
    pipe(&ends)
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}()

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
        _ = pipeEnds
        for number in Array(Self.endings.keys) + Array(Self.others.keys) {
            signal(number) { number in
                let before = errno
                var byte = UInt8(truncatingIfNeeded: number)
                _ = Glibc.write(pipeEnds.writing, &byte, 1)
                errno = before
            }
        }
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
            var byte: UInt8 = 0
            guard read(pipeEnds.reading, &byte, 1) == 1 else { continue }
            let number = Int32(byte)
            guard let name = Self.others[number] else { return number }
            logger.notice("ignored an unexpected signal", metadata: ["signal": "\(name)"])
        }
    }
}
