// The history of a model's training: what all pushes reported and did, in bounded memory. It is part of the state:
// fed by every push as it is applied, also when the log is replayed, and stored in images.

import Names
import Optimizers

/// What a model's pushes reported and did, as series over steps.
///
/// The step of a push is the one after it. A restore removes the values of later steps: they belong to a branch
/// that the model has left.
public struct TrainingHistory: Sendable {
    /// The loss that workers report.
    private(set) var loss = HistorySeries()
    /// The Euclidean norm of the gradient, unscaled, before decay.
    private(set) var gradientNorm = HistorySeries()
    /// The norm of the update divided by the norm of the parameters.
    private(set) var updateRatio = HistorySeries()
    /// The number of updates between a gradient's step and its own update, of pushes that name their step.
    private(set) var staleness = HistorySeries()
    /// The loss scale for the next gradient, under loss scaling.
    private(set) var lossScale = HistorySeries()
    /// The number of updates skipped so far because their gradients overflowed, at each such update.
    private(set) var overflows = HistorySeries()
    /// The learning rates used, by group.
    private(set) var rates = RateHistory()
    /// Pushes per second of all workers.
    private(set) var pushes = PushRate()
    /// Pushes per second of each worker; of the last ones if there are many.
    private(set) var workers: [Name: PushRate] = [:]
    /// Metrics that clients report.
    private(set) var metrics: [Name: HistorySeries] = [:]
    /// What pushes set for their own update, except for learning rates, by the names of the series.
    private(set) var hyperparameters: [Name: HistorySeries] = [:]
    /// The size of the series of workers, metrics and hyperparameters, and of long names.
    private var tableBytes = 0

    /// Makes an empty history.
    init() {}

    /// Makes a history from an image; nil if it has too many series.
    init?(
        fixed: [HistorySeries], rates: RateHistory, pushes: PushRate, workers: [Name: PushRate],
        metrics: [Name: HistorySeries]
    ) {
        var metrics = metrics
        lossScale = metrics.removeValue(forKey: Self.lossScaleName) ?? HistorySeries()
        overflows = metrics.removeValue(forKey: Self.overflowsName) ?? HistorySeries()
        for name in metrics.keys where name.text.hasPrefix(Self.hidden) {
            hyperparameters[Name(String(name.text.dropFirst(Self.hidden.count)))] = metrics.removeValue(forKey: name)
        }
        let most = ServingConfiguration.historyMetrics
        guard fixed.count == 4, workers.count <= ServingConfiguration.historyWorkers, metrics.count <= most,
            hyperparameters.count <= most
        else { return nil }
        (loss, gradientNorm, updateRatio, staleness) = (fixed[0], fixed[1], fixed[2], fixed[3])
        (self.rates, self.pushes, self.workers, self.metrics) = (rates, pushes, workers, metrics)
        tableBytes = workers.reduce(0) { $0 + Self.bytes(of: $1.key, $1.value.series) }
        for table in [metrics, hyperparameters] {
            tableBytes += table.reduce(0) { $0 + Self.bytes(of: $1.key, $1.value) }
        }
    }

    /// The series that every push feeds, in the order of an image.
    var fixed: [HistorySeries] { [loss, gradientNorm, updateRatio, staleness] }

    /// The start of the names under which an image has other series among the metrics, because its format has no place
    /// for them.
    ///
    /// No client can report a metric with a control character in its name.
    private static let hidden = "\u{1}"
    private static let lossScaleName: Name = "\u{1}loss_scale"
    private static let overflowsName: Name = "\u{1}overflows"

    /// The metrics in the form of an image: with the series that only some models have.
    var namedSeries: [Name: HistorySeries] {
        var named = metrics
        if !lossScale.points.isEmpty { named[Self.lossScaleName] = lossScale }
        if !overflows.points.isEmpty { named[Self.overflowsName] = overflows }
        for (name, series) in hyperparameters { named[Name(Self.hidden + name.text)] = series }
        return named
    }

    /// Records an update, or a skipped one, once for all pushes of its round.
    mutating func add(updateOf receipt: Receipt, time: Int) {
        let step = receipt.step
        gradientNorm.add(receipt.gradientNorm, step: step, time: time)
        if let scale = receipt.nextLossScale { lossScale.add(scale, step: step, time: time) }
        if !receipt.applied { overflows.add((overflows.points.last?.last ?? 0) + 1, step: step, time: time) }
        guard receipt.applied else { return }
        if let ratio = receipt.updateRatio { updateRatio.add(ratio, step: step, time: time) }
        rates.add(receipt.learningRates, step: step, time: time)
        guard let brought = receipt.hyperparameters else { return }
        tableBytes += Self.record(brought.scalars, in: &hyperparameters, step: step, time: time)
    }

    /// Records what a push of an applied or skipped update reports.
    mutating func add(_ push: Push, _ receipt: Receipt) {
        let (step, time) = (receipt.step, push.sighting?.time ?? 0)
        if let value = push.loss { loss.add(value, step: step, time: time) }
        if let updates = receipt.staleness { staleness.add(Double(updates), step: step, time: time) }
        add(push.metrics, step: step, time: time)
        guard time > 0 else { return }
        pushes.add(step: step, time: time)
        if let worker = push.key?.worker { count(worker, step: step, time: time) }
    }

    /// Records reported metrics.
    mutating func add(_ scalars: [Scalar], step: Int, time: Int) {
        tableBytes += Self.record(scalars, in: &metrics, step: step, time: time)
    }

    /// Adds values to a table; one with a new name only if there is room for it.
    ///
    /// - Returns: The additional size.
    private static func record(
        _ scalars: [Scalar], in table: inout [Name: HistorySeries], step: Int, time: Int
    ) -> Int {
        var added = 0
        func add(_ value: Double, to series: inout HistorySeries) {
            let before = series.bytes
            series.add(value, step: step, time: time)
            added += series.bytes - before
        }
        for scalar in scalars {
            if table[scalar.name] == nil {
                guard table.count < ServingConfiguration.historyMetrics else { continue }
                added += bytes(of: scalar.name, HistorySeries())
            }
            add(scalar.value, to: &table[scalar.name, default: HistorySeries()])
        }
        return added
    }

    private mutating func count(_ worker: Name, step: Int, time: Int) {
        if workers[worker] == nil {
            if workers.count >= ServingConfiguration.historyWorkers { forgetOldestWorker() }
            tableBytes += Self.bytes(of: worker, HistorySeries())
        }
        func add(_ rate: inout PushRate) -> Int {
            let before = rate.series.bytes
            rate.add(step: step, time: time)
            return rate.series.bytes - before
        }
        tableBytes += add(&workers[worker, default: PushRate()])
    }

    private mutating func forgetOldestWorker() {
        let oldest = workers.min { ($0.value.since, $0.key) < ($1.value.since, $1.key) }
        guard let oldest else { return }
        workers[oldest.key] = nil
        tableBytes -= Self.bytes(of: oldest.key, oldest.value.series)
    }

    /// Removes the values after a step, because the model has returned to it.
    mutating func cut(after step: Int) {
        loss.cut(after: step)
        gradientNorm.cut(after: step)
        updateRatio.cut(after: step)
        staleness.cut(after: step)
        lossScale.cut(after: step)
        overflows.cut(after: step)
        rates.cut(after: step)
        pushes.cut(after: step)
        for name in workers.keys { workers[name]?.cut(after: step) }
        for name in metrics.keys { metrics[name]?.cut(after: step) }
        for name in hyperparameters.keys { hyperparameters[name]?.cut(after: step) }
    }

    // MARK: Bounds

    /// The size in memory.
    var bytes: Int {
        loss.bytes + gradientNorm.bytes + updateRatio.bytes + staleness.bytes + lossScale.bytes + overflows.bytes
            + rates.bytes + pushes.series.bytes + tableBytes
    }

    private static func bytes(of name: Name, _ series: HistorySeries) -> Int {
        EntryBytes.place(Name.self, PushRate.self) + EntryBytes.text(name) + series.bytes
    }

    /// The additional size after a push, without lists of rates.
    ///
    /// - Parameter isScaled: whether gradients are multiplied by a loss scale, or may be skipped.
    func bytesAdded(by push: Push, isScaled: Bool) -> Int {
        let series = isScaled ? fixed + [lossScale, overflows] : fixed
        let fixed = series.reduce(0) { $0 + $1.bytesAdded }
        let worker = push.key.map { workers[$0.worker]?.series.bytesAdded ?? Self.bytesOfNew($0.worker) } ?? 0
        return fixed + RateHistory.bytesAdded + pushes.series.bytesAdded + worker
            + Self.bytesAdded(by: push.metrics, to: metrics)
            + (push.hyperparameters.map { Self.bytesAdded(by: $0.scalars, to: hyperparameters) } ?? 0)
    }

    /// The additional size after a report.
    func bytesAdded(by scalars: [Scalar]) -> Int { Self.bytesAdded(by: scalars, to: metrics) }

    private static func bytesAdded(by scalars: [Scalar], to table: [Name: HistorySeries]) -> Int {
        scalars.reduce(0) { $0 + (table[$1.name]?.bytesAdded ?? bytesOfNew($1.name)) }
    }

    private static func bytesOfNew(_ name: Name) -> Int {
        bytes(of: name, HistorySeries()) + HistorySeries().bytesAdded
    }

    /// Refuses metrics with more new names than there is room for.
    ///
    /// - Parameter section: the member of the request that has them.
    /// - Throws: `invalid`.
    func checkRoom(for scalars: [Scalar], in section: String) throws(ServingError) {
        let most = ServingConfiguration.historyMetrics
        let new = scalars.filter { metrics[$0.name] == nil }
        guard let first = new.first, metrics.count + new.count > most else { return }
        throw .invalid([
            Complaint(
                pointer: "/\(section)/\(first.name.pointerEscaped)", exception: .valueError,
                detail:
                    "the history already has \(metrics.count) metrics, and the limit is \(most), so it has no room for \(new.count) more; use names that GET .../history lists"
            )
        ])
    }
}

extension TrainingHistory: Equatable {
    /// Whether both have the same values, regardless of the memory that they occupy.
    public static func == (one: TrainingHistory, other: TrainingHistory) -> Bool {
        one.fixed == other.fixed && one.rates == other.rates && one.pushes == other.pushes
            && one.workers == other.workers && one.metrics == other.metrics && one.lossScale == other.lossScale
            && one.overflows == other.overflows && one.hyperparameters == other.hyperparameters
    }
}
