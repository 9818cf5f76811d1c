// The members `reduce`, `trim` and `byzantine` of a definition's `consistency`.

import Names

extension Reduction {
    /// The values of `reduce`.
    private enum Kind: String, CaseIterable {
        case mean, sum, weighted, median, krum
        case trimmedMean = "trimmed_mean"
    }

    /// Reads `"reduce":"mean"` (the default), `"reduce":"trimmed_mean","trim":0.1` or `"reduce":"krum","byzantine":1`.
    ///
    /// - Parameter settings: The reader of the object that contains them; the caller finishes it.
    /// - Throws: `.invalid`: TypeError for a value of the wrong type and a missing `byzantine`, ValueError for a value
    ///   out of range and an unknown reduction, KeyError for an argument of another reduction.
    public init(reading settings: SettingReader) throws(OptimizerError) {
        let kind = try settings.choice("reduce", default: Kind.mean)
        for (argument, owner) in [("trim" as Name, Kind.trimmedMean), ("byzantine", .krum)] where kind != owner {
            guard settings.holds(argument) else { continue }
            throw settings.complaint(
                argument, .keyError,
                "`\(argument)` belongs to `\"reduce\":\"\(owner.rawValue)\"`; write that, or remove `\(argument)`.",
                "nothing", argument.text)
        }
        switch kind {
        case .mean: self = .mean
        case .sum: self = .sum
        case .weighted: self = .weighted
        case .median: self = .median
        case .trimmedMean: self = .trimmedMean(trim: try settings.number("trim", default: 0.1, Self.fraction))
        case .krum: self = .krum(byzantine: try settings.wholeNumber("byzantine", atLeast: 0))
        }
    }

    /// At 0.5 nothing would be left.
    private static let fraction = Bounds(words: "a number from 0 to below 0.5") { $0 >= 0 && $0 < 0.5 }

    /// Refuses a number of workers for which the reduction has no guarantee: krum needs 2 byzantine + 3.
    ///
    /// - Parameter pointer: The place of the number in the definition.
    /// - Throws: `.invalid`, a ValueError.
    public func check(workers: Int, at pointer: String) throws(OptimizerError) {
        guard case .krum(let byzantine) = self, workers < 3 || byzantine > (workers - 3) / 2 else { return }
        throw .invalid(
            pointer, .valueError,
            "krum with `\"byzantine\":\(byzantine)` needs at least 2 * byzantine + 3 workers; got \(workers). Use more workers or a smaller `byzantine`.",
            expected: "2 * \(byzantine) + 3 workers or more", got: "\(workers)")
    }
}
