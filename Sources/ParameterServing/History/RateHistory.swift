// The learning rates over time, for all groups together: there may be thousands, and most updates have the rates of the
// one before. So a point is not an update but a change of rates, and unchanged rates cost one comparison.

import Threading

/// The recorded learning rates of a model's groups.
///
/// 1. Points are sorted by step.
/// 2. All lists of rates have the same length: that of the most groups the model has had.
struct RateHistory: Equatable {
    /// The rates of consecutive updates.
    struct Point: Equatable {
        var firstStep: Int
        var lastStep: Int
        var time: Int
        /// The number of updates.
        var count = 1
        /// How often the rates changed within, counting the first.
        var changes = 1
        /// By group in update order; the same list three times if nothing changed within.
        var least: [Float?]
        var most: [Float?]
        var last: [Float?]

        /// The bytes of its lists.
        fileprivate var listBytes: Int { (changes == 1 ? 1 : 3) * last.bytes }

        /// Adds the next point.
        fileprivate mutating func add(_ later: Point) {
            (firstStep, lastStep) = (min(firstStep, later.firstStep), max(lastStep, later.lastStep))
            (count, changes) = (count + later.count, changes + later.changes)
            for group in least.indices {
                least[group] = Self.extreme(least[group], later.least[group], min)
                most[group] = Self.extreme(most[group], later.most[group], max)
            }
            (last, time) = (later.last, later.time)
        }

        /// Adds groups without rates.
        fileprivate mutating func widen(to groups: Int) {
            let more = [Float?](repeating: nil, count: groups - last.count)
            last += more
            least = changes == 1 ? last : least + more
            most = changes == 1 ? last : most + more
        }

        private static func extreme(_ one: Float?, _ other: Float?, _ choose: (Float, Float) -> Float) -> Float? {
            guard let one, let other else { return one ?? other }
            return choose(one, other)
        }
    }

    private(set) var points: [Point] = []
    /// The number of changes that a point takes before the next one begins.
    private(set) var stride = 1
    private var listBytes = 0

    /// Makes an empty history.
    init() {}

    /// Makes a history from an image; nil if it is impossible.
    init?(_ points: [Point], stride: Int) {
        let groups = points.first?.last.count ?? 0
        let fits = points.allSatisfy { [$0.least.count, $0.most.count, $0.last.count] == [groups, groups, groups] }
        guard stride > 0, fits, points.count <= max(Self.most(ofGroups: groups), 1) else { return nil }
        (self.points, self.stride) = (points, stride)
        listBytes = points.reduce(0) { $0 + $1.listBytes }
    }

    /// The most points for this many groups; an even number.
    static func most(ofGroups groups: Int) -> Int {
        let share = ServingConfiguration.historyRates / max(1, groups)
        return max(4, min(ServingConfiguration.historyPoints, share / 2 * 2))
    }

    /// The size in memory.
    var bytes: Int { EntryBytes.array(points) + listBytes }

    /// The additional size after one more update, without its list, which receipts share.
    static let bytesAdded = 2 * MemoryLayout<Point>.stride

    /// Records the rates of an update.
    ///
    /// - Parameter rates: by group; O(1) if it is the list of the update before.
    mutating func add(_ rates: [Float?], step: Int, time: Int) {
        let rates = fitted(rates)
        guard let place = points.indices.last else { return append(rates, step, time) }
        if points[place].last == rates {
            points[place].lastStep = max(points[place].lastStep, step)
            points[place].time = time
            points[place].count += 1
            return
        }
        guard points[place].changes < stride else { return append(rates, step, time) }
        listBytes -= points[place].listBytes
        points[place].add(Point(firstStep: step, lastStep: step, time: time, least: rates, most: rates, last: rates))
        listBytes += points[place].listBytes
    }

    /// The rates with one for each group of the lists; a group that a growth has added had no rate before.
    private mutating func fitted(_ rates: [Float?]) -> [Float?] {
        guard let groups = points.first?.last.count, groups != rates.count else { return rates }
        if rates.count < groups { return rates + [Float?](repeating: nil, count: groups - rates.count) }
        for place in points.indices { points[place].widen(to: rates.count) }
        listBytes = points.reduce(0) { $0 + $1.listBytes }
        while points.count > Self.most(ofGroups: rates.count) { halve() }
        return rates
    }

    private mutating func append(_ rates: [Float?], _ step: Int, _ time: Int) {
        if points.count >= Self.most(ofGroups: rates.count) { halve() }
        points.append(Point(firstStep: step, lastStep: step, time: time, least: rates, most: rates, last: rates))
        listBytes += rates.bytes
        invariant(points.count <= Self.most(ofGroups: rates.count), "\(points.count) points of \(rates.count) groups")
    }

    private mutating func halve() {
        points.joinPairs { $0.add($1) }
        stride *= 2
        listBytes = points.reduce(0) { $0 + $1.listBytes }
    }

    /// Removes the rates after a step, because the model has returned to it.
    ///
    /// If that makes much room, each new change is a point again.
    mutating func cut(after step: Int) {
        while let last = points.last, last.firstStep > step {
            listBytes -= last.listBytes
            points.removeLast()
        }
        if let last = points.indices.last { points[last].lastStep = min(points[last].lastStep, step) }
        if points.count <= Self.most(ofGroups: points.first?.last.count ?? 0) / 2 { stride = 1 }
    }

    /// The points of one group; none for an update in which its rule computed its own rate.
    func points(ofGroup group: Int) -> [HistoryPoint] {
        points.compactMap { point in
            guard group < point.last.count, let least = point.least[group], let most = point.most[group],
                let last = point.last[group]
            else {
                return nil
            }
            return HistoryPoint(
                steps: point.firstStep...max(point.firstStep, point.lastStep), time: point.time, count: point.count,
                values: Self.shortest(least)...Self.shortest(most), last: Self.shortest(last))
        }
    }

    /// The double with the shortest text that reads back to the float32: 0.1 and not 0.10000000149.
    private static func shortest(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }
}
