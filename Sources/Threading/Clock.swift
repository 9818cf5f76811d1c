// The monotonic clock, in nanoseconds: deadlines never follow the wall clock.

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

    /// Nanoseconds that the calling thread has used of a processor.
    public static var threadTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
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
