// The part of a history that a request asks for.

import Names
import Optimizers
import ParameterServing

/// Series, a range of steps, and the most points of a series.
struct HistorySelection: Sendable {
    private let names: [Name]
    let steps: ClosedRange<Int>
    let points: Int

    /// Reads `series`, `from`, `to` and `points`.
    init(_ call: Call) throws(Problem) {
        names = call.values(of: .series).map { Name($0) }
        let from = try call.integer(.from) ?? 0
        let to = try call.integer(.to) ?? FixedLimits.largestInteger
        guard from <= to else {
            throw Problem(.invalidQuery, "`from` \(from) is greater than `to` \(to); swap them.")
        }
        steps = from...to
        let most = ServingConfiguration.historyPoints
        points = try call.integer(.points, in: 1...most) ?? most
    }

    /// The selected series; all of them without a name.
    ///
    /// - Throws: `notFound` for a name that is unknown, or a pattern that matches none; `invalidQuery` for more
    ///   patterns than the limit `pull-matches` allows.
    func series(of history: TrainingHistory, _ layout: ArenaLayout) throws(Problem) -> [NamedSeries] {
        let all = history.series(groups: layout.groups.map(\.name))
        if names.isEmpty { return all }
        let most = max(1, FixedLimits.pullMatches / max(1, all.count))
        guard names.count <= most else {
            throw Problem(
                .invalidQuery,
                "The history has \(all.count) series, so a request can name at most \(most), not \(names.count).")
        }
        var isSelected = all.map { _ in false }
        for name in names {
            let places = try Self.places(of: name, in: all)
            for place in places { isSelected[place] = true }
        }
        return zip(all, isSelected).filter(\.1).map(\.0)
    }

    private static func places(of name: Name, in all: [NamedSeries]) throws(Problem) -> [Int] {
        let glob = Glob.isPattern(name) ? Glob(name) : nil
        let places = all.indices.filter { glob?.matches(all[$0].name) ?? (all[$0].name == name) }
        guard places.isEmpty else { return places }
        let known = all.lazy.map(\.name)
        let hint = glob == nil ? NearestNames.hint(name, among: known) : NearestNames.list(known)
        throw Problem(
            .notFound, "\(glob == nil ? "The history has no series `\(name)`" : "`\(name)` matches no series"); \(hint)"
        )
    }
}
