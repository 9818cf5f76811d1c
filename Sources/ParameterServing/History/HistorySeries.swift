// One curve of a chart in bounded memory. While there is room, each value is a point; then neighbours are joined in
// pairs and each point holds twice as many values: its extremes survive, so that a peak stays visible.

import Threading

/// The recorded values of one quantity.
///
/// Deterministic: the same values in the same order give the same points.
///
/// 1. Points are sorted by step, and their ranges of steps overlap at most at their ends. Images are checked for it.
/// 2. There are at most `most` points.
struct HistorySeries: Equatable {
    /// The most points of a series; an even number.
    static let most = ServingConfiguration.historyPoints

    private(set) var points: [HistoryPoint] = []
    /// The number of values that a point takes before the next one begins.
    private(set) var stride = 1

    /// Makes an empty series.
    init() {}

    /// Makes a series from an image; nil if it is impossible.
    init?(_ points: [HistoryPoint], stride: Int) {
        let isSorted = zip(points, points.dropFirst()).allSatisfy { $0.lastStep <= $1.firstStep }
        guard stride > 0, points.count <= Self.most, isSorted else { return nil }
        (self.points, self.stride) = (points, stride)
    }

    /// The size in memory.
    var bytes: Int { EntryBytes.array(points) }

    /// The additional size after one more value.
    var bytesAdded: Int {
        points.count < points.capacity ? 0 : (nextCapacity - points.capacity) * MemoryLayout<HistoryPoint>.stride
    }

    private var nextCapacity: Int { min(Self.most, max(8, 2 * points.capacity)) }

    /// Records a value; one that is not finite has no place in a chart.
    mutating func add(_ value: Double, step: Int, time: Int) {
        guard value.isFinite else { return }
        let point = HistoryPoint(value, step: step, time: time)
        let place = points.lastIndex { $0.firstStep <= step }
        if place == points.indices.last, step >= points.last?.lastStep ?? step {
            append(point)
        } else {
            insert(point, after: place)
        }
        invariant(points.count <= Self.most, "2: \(points.count) points")
    }

    private mutating func append(_ point: HistoryPoint) {
        if let last = points.indices.last, points[last].count < stride { return points[last].add(point) }
        makeRoom()
        points.append(point)
    }

    /// A value that arrives late, such as an accuracy of an earlier step: a point of its own as long as new values are
    /// and no point has values of both earlier and later steps.
    private mutating func insert(_ point: HistoryPoint, after place: Int?) {
        let isBetween = place.map { points[$0].lastStep <= point.firstStep } ?? true
        guard stride == 1, isBetween, points.count < Self.most else { return points[place ?? 0].add(point) }
        makeRoom()
        points.insert(point, at: place.map { $0 + 1 } ?? 0)
    }

    private mutating func makeRoom() {
        if points.count == Self.most { halve() }
        if points.count == points.capacity { points.reserveCapacity(nextCapacity) }
    }

    private mutating func halve() {
        points.joinPairs { $0.add($1) }
        stride *= 2
    }

    /// Removes the values after a step, because the model has returned to it.
    ///
    /// If that makes much room, each new value is a point again.
    mutating func cut(after step: Int) {
        while let last = points.last, last.firstStep > step { points.removeLast() }
        if let last = points.indices.last { points[last].lastStep = min(points[last].lastStep, step) }
        if points.count <= Self.most / 2 { stride = 1 }
    }
}
