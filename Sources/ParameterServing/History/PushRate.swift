// How fast pushes arrive, from the times at which they were admitted. Those are whole seconds and part of the log, so
// that a replay measures the same rate.

/// The rate of a stream of pushes, in pushes per second.
///
/// The value of a second with a push is the number of pushes since the previous such second, divided by the seconds
/// in between.
struct PushRate: Equatable {
    private(set) var series = HistorySeries()
    /// The last second with a push, in seconds since 1970; 0 before the first.
    private(set) var since = 0
    /// The pushes since then.
    private(set) var count = 0

    /// Makes a rate without pushes.
    init() {}

    /// Makes a rate from an image.
    init(_ series: HistorySeries, since: Int, count: Int) {
        (self.series, self.since, self.count) = (series, since, count)
    }

    /// Counts a push.
    mutating func add(step: Int, time: Int) {
        if since == 0 || time < since {
            // The first push, or a clock that was set back.
            (since, count) = (time, 0)
        } else if time > since {
            series.add(Double(count) / Double(time - since), step: step, time: time)
            (since, count) = (time, 0)
        }
        count += 1
    }

    /// Removes the values after a step.
    mutating func cut(after step: Int) { series.cut(after: step) }
}
