// The cost of single jobs on a network thread. While one runs, all other clients of the thread wait, so the longest one
// is what matters; it is measured in CPU time, which other programs do not affect.

import Threading

/// Measures the jobs of one loop, each from the end of the previous one.
struct JobClock {
    /// The longest so far, in nanoseconds of the thread's CPU time.
    private(set) var longest: UInt64 = 0
    private var last: UInt64 = 0

    /// Starts measuring after a sleep.
    mutating func start() { last = Clock.threadTime }

    /// Ends the current job.
    mutating func note() {
        let now = Clock.threadTime
        longest = max(longest, now - min(now, last))
        last = now
    }
}
