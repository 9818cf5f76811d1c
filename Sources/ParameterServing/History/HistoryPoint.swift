// A point of a chart: one reported value, or the summary of several neighbours.

/// One or more values of a series at consecutive steps.
public struct HistoryPoint: Sendable, Equatable {
    /// The smallest step of a value.
    public var firstStep: Int
    /// The largest step of a value.
    public var lastStep: Int
    /// When `last` was recorded, in seconds since 1970; 0 if the log of an earlier release does not say.
    public var time: Int
    /// The number of values.
    public var count: Int
    /// The smallest value.
    public var least: Double
    /// The largest value.
    public var most: Double
    /// The value of the largest step; of several, the newest.
    public var last: Double

    /// Makes the point of a single value.
    init(_ value: Double, step: Int, time: Int) {
        (firstStep, lastStep, self.time, count) = (step, step, time, 1)
        (least, most, last) = (value, value, value)
    }

    /// Makes a point from its parts.
    init(steps: ClosedRange<Int>, time: Int, count: Int, values: ClosedRange<Double>, last: Double) {
        (firstStep, lastStep, self.time, self.count) = (steps.lowerBound, steps.upperBound, time, count)
        (least, most, self.last) = (values.lowerBound, values.upperBound, last)
    }

    /// Adds the values of a point that was recorded later.
    mutating func add(_ later: HistoryPoint) {
        if later.lastStep >= lastStep { (last, time) = (later.last, later.time) }
        (firstStep, lastStep) = (min(firstStep, later.firstStep), max(lastStep, later.lastStep))
        (least, most) = (min(least, later.least), max(most, later.most))
        count += later.count
    }
}

extension Array {
    /// Joins neighbours in pairs; the last of an odd number stays alone.
    mutating func joinPairs(_ add: (inout Element, Element) -> Void) {
        let pairs = count / 2
        for place in 0..<pairs {
            self[place] = self[2 * place]
            add(&self[place], self[2 * place + 1])
        }
        if count > 2 * pairs { self[pairs] = self[count - 1] }
        removeLast(pairs)
    }
}

extension Array<HistoryPoint> {
    /// The points that have a value in a range of steps, joined with their neighbours until at most `most` are left.
    public func selected(_ steps: ClosedRange<Int>, most: Int) -> [HistoryPoint] {
        let found = filter { $0.firstStep <= steps.upperBound && $0.lastStep >= steps.lowerBound }
        let share = (found.count + most - 1) / Swift.max(1, most)
        guard share > 1 else { return found }
        return stride(from: 0, to: found.count, by: share).map { start in
            found[start..<Swift.min(start + share, found.count)].dropFirst().reduce(into: found[start]) { $0.add($1) }
        }
    }
}
