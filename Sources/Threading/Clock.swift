// The clocks of the daemon. Deadlines count on the monotonic one, in nanoseconds, and never follow the wall clock. A state
// machine reads none of them: whoever drives it reads them once and tells it the tick.

import Glibc

/// The clock of every deadline.
public enum Clock {
    /// Nanoseconds of the monotonic clock.
    public static var now: UInt64 {
        #if DEBUG
            if let simulation = Simulation.current { return simulation.now }
        #endif
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Both clocks, as state machines are told them.
    public static var tick: Tick {
        #if DEBUG
            if let simulation = Simulation.current {
                return Tick(uptime: simulation.now, time: Tick.simulatedStart + Int(simulation.now / 1_000_000_000))
            }
        #endif
        return Tick(uptime: now, time: time(nil))
    }

    /// Nanoseconds that the calling thread has used of a processor.
    public static var threadTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A moment on both clocks.
public struct Tick: Sendable, Equatable {
    /// Where simulations begin, in seconds since 1970.
    static let simulatedStart = 1_000_000_000

    /// Nanoseconds of the monotonic clock: what deadlines count on.
    public var uptime: UInt64
    /// Seconds since 1970: what is written down.
    public var time: Int

    /// A moment of its two readings.
    public init(uptime: UInt64 = 0, time: Int) {
        self.uptime = uptime
        self.time = time
    }
}

extension Duration {
    /// This duration in nanoseconds: zero if negative, at most about 292 years.
    public var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 9_000_000_000 else { return UInt64(Int64.max) }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
    }
}
