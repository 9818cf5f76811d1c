// A training history as readers see it: series by name. The names are part of the API.

import Names

/// A series with its name.
public struct NamedSeries: Sendable {
    private enum Source {
        case series(HistorySeries)
        case rates(RateHistory, group: Int)
    }

    /// Its name, such as `loss`, `lr/GROUP`, `hyperparameters/momentum` or `metrics/NAME`.
    public let name: Name
    private let source: Source

    fileprivate init(_ name: String, _ series: HistorySeries) {
        (self.name, source) = (Name(name), .series(series))
    }

    fileprivate init(_ group: Name, _ rates: RateHistory, _ index: Int) {
        (name, source) = (Name("lr/\(group)"), .rates(rates, group: index))
    }

    /// Its points, sorted by step.
    public var points: [HistoryPoint] {
        switch source {
        case .series(let series): series.points
        case .rates(let rates, let group): rates.points(ofGroup: group)
        }
    }
}

extension TrainingHistory {
    /// All series of a model with these groups, those of pushes first.
    public func series(groups: some Collection<Name>) -> [NamedSeries] {
        [NamedSeries("loss", loss)] + groups.enumerated().map { NamedSeries($1, rates, $0) }
            + [
                NamedSeries("grad_norm", gradientNorm), NamedSeries("update_ratio", updateRatio),
                NamedSeries("staleness", staleness), NamedSeries("loss_scale", lossScale),
                NamedSeries("overflows", overflows), NamedSeries("rate", pushes.series),
            ]
            + workers.sorted { $0.key < $1.key }.map { NamedSeries("rate/\($0.key)", $0.value.series) }
            + hyperparameters.sorted { $0.key < $1.key }.map { NamedSeries($0.key.text, $0.value) }
            + metrics.sorted { $0.key < $1.key }.map { NamedSeries("metrics/\($0.key)", $0.value) }
    }
}

extension Model {
    /// Passes the history to `body`, on an executor thread, with a loan for their memory.
    ///
    /// Fails with `outOfMemory` if the budget has no room for a copy.
    public func trainingHistory(
        _ body: @escaping @Sendable (Result<(TrainingHistory, Reservation), ServingError>) -> Void
    ) {
        inspect { state in
            let history = state.trainingHistory
            body(
                Result { () throws(ServingError) in
                    (history, try state.pool.budget.reserve(KeptMemory.pages(history.bytes)))
                })
        }
    }
}
