// The clocks of the daemon. Deadlines use the monotonic clock, in nanoseconds, and never follow the wall clock. State
// machines read no clock: their driver reads both and passes the tick in.

import Glibc

/// The clock of every deadline.
public enum Clock {
    /// The monotonic clock in nanoseconds.
    public static var now: UInt64 {
        #if DEBUG
            if let simulation = Simulation.current { return simulation.now }
        #endif
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Reads both clocks, for state machines.
    public static var tick: Tick {
        #if DEBUG
            if let simulation = Simulation.current {
                return Tick(uptime: simulation.now, time: Tick.simulatedStart + Int(simulation.now / 1_000_000_000))
            }
        #endif
        return Tick(uptime: now, time: time(nil))
    }

    /// Nanoseconds of CPU time that the calling thread has used.
    public static var threadTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A moment, read on both clocks.
public struct Tick: Sendable, Equatable {
    /// The start of simulations, in seconds since 1970.
    static let simulatedStart = 1_000_000_000

    /// The monotonic clock in nanoseconds; deadlines use it.
    public var uptime: UInt64
    /// Seconds since 1970; timestamps use it.
    public var time: Int

    /// Makes a moment from both readings.
    public init(uptime: UInt64 = 0, time: Int) {
        self.uptime = uptime
        self.time = time
    }
}

extension Duration {
    /// The duration in nanoseconds: zero if negative, at most about 292 years.
    public var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 9_000_000_000 else { return UInt64(Int64.max) }
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000
    }
}
