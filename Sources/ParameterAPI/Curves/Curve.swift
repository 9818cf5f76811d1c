// A rate over steps, for one or more groups: the answer of `lr`, `weight_decay` and previews in every format.

import ParameterServing

/// Values of one or more series at the same steps.
struct Curve: Sendable {
    /// The quantity, as the key of the JSON answer: `lr`, `weight_decay`.
    let quantity: String
    let steps: [Int]
    /// By group in update order; nil if a rule computes its own rate.
    var series: [(name: String, values: [Float?])]

    /// Evaluates `value` for every step.
    init(
        _ quantity: String, _ steps: [Int], names: [String], _ value: (Int) throws(Problem) -> [Float?]
    ) throws(Problem) {
        self.quantity = quantity
        self.steps = steps
        var columns = names.map { _ in [Float?]() }
        for index in columns.indices { columns[index].reserveCapacity(steps.count) }
        for step in steps {
            for (index, value) in zip(columns.indices, try value(step)) { columns[index].append(value) }
        }
        series = zip(names, columns).map { ($0, $1) }
    }
}

extension Curve {
    /// The bytes of a value and its text, in any format.
    private static let bytesPerValue = 64

    /// The memory of a curve and of its answer.
    ///
    /// - Throws: `outOfMemory` or `exceedsMemory` if the budget has no room for it.
    static func memory(series: Int, points: Int, _ budget: MemoryBudget) throws(Problem) -> Reservation {
        let bytes = series.multipliedReportingOverflow(by: points * bytesPerValue)
        do throws(ServingError) {
            return try budget.reserve(bytes.overflow ? .max : bytes.partialValue)
        } catch {
            throw Problem(error)
        }
    }
}

extension Call {
    /// The steps of `from`, `to` (included) and `every`; nil if no range is requested.
    ///
    /// Plots show a range even if none is requested: the steps so far, and as many again. If a single step is
    /// requested, they show that step.
    /// - Throws: `invalidQuery` for a range that is empty or has more than 100,000 points, `conflictingQuery` for a
    ///   range together with one step.
    func stepRange(for model: Model, as form: CurveForm) throws(Problem) -> [Int]? {
        guard query(.from) != nil || query(.to) != nil || query(.every) != nil else {
            if form == .json { return nil }
            return try integer(.step).map { [$0] } ?? model.publication.current.naturalRange
        }
        try forbidQueries(.step, because: "selects one step, `from`, `to` and `every` a range; use one or the other.")
        let from = try integer(.from) ?? 0
        let every = try integer(.every, in: 1...FixedLimits.largestInteger) ?? 1
        guard let to = try integer(.to) else {
            throw Problem(.invalidQuery, "A range needs its last step; add to=STEP.")
        }
        return try steps(from: from, to: to, every: every)
    }

    /// The steps from `from` to `to`, both included, in intervals of `every`.
    func steps(from: Int, to: Int, every: Int) throws(Problem) -> [Int] {
        guard from <= to else {
            throw Problem(.invalidQuery, "`from` \(from) is greater than `to` \(to); swap them.")
        }
        guard (to - from) / every < FixedLimits.curvePoints else {
            throw Problem(
                .invalidQuery,
                "A curve has at most \(FixedLimits.curvePoints) points; use every=\((to - from) / FixedLimits.curvePoints + 1) or more."
            )
        }
        return Array(stride(from: from, through: to, by: every))
    }

    /// Refuses a curve with too many groups and steps.
    func check(points: Int, ofGroups groups: Int) throws(Problem) {
        guard points > FixedLimits.curveValues / max(1, groups), points > 1 else { return }
        throw Problem(
            .invalidQuery,
            "\(points) points of \(groups) groups are more than \(FixedLimits.curveValues) values, the limit of one answer; use a larger `every`, or select parameters with `param`."
        )
    }
}

extension PublishedVersion {
    /// The default steps of a plot: a whole array if there is one, otherwise up to twice the current step.
    fileprivate var naturalRange: [Int] {
        let lengths = facts.layout.groups.indices.compactMap { facts.learningRateLength(ofGroup: $0) }
        let last = lengths.min().map { max(0, $0 - 1) } ?? max(100, 2 * step)
        let every = max(1, last / 1000)
        return Array(stride(from: 0, through: last, by: every))
    }
}
