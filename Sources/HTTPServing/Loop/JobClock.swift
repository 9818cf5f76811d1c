// What single jobs cost a network thread. While one runs, every other client of the thread waits, so that the longest is what
// a server has to be judged by; it is told in processor time, which other programs do not change.

import Threading

/// Measures the jobs of one loop, each from the end of the one before.
struct JobClock {
    /// The longest so far, in nanoseconds of the thread's processor time.
    private(set) var longest: UInt64 = 0
    private var last: UInt64 = 0

    /// Begins to count, after a sleep.
    mutating func start() { last = Clock.threadTime }

    /// A job has ended.
    mutating func note() {
        let now = Clock.threadTime
        longest = max(longest, now - min(now, last))
        last = now
    }
}
