// The members `reduce`, `trim` and `byzantine` of a definition's `consistency`.

import Names

extension Reduction {
    /// The words of `reduce`.
    private enum Word: String, CaseIterable {
        case mean
        case sum
        case weighted
        case median
        case trimmedMean = "trimmed_mean"
        case krum
    }

    /// Reads `"reduce":"mean"` (the default), `"reduce":"trimmed_mean","trim":0.1` or `"reduce":"krum","byzantine":1`.
    ///
    /// - Parameter reader: The reader of the object that contains them; the caller finishes it.
    /// - Throws: `.invalid`: TypeError for a value of the wrong type and a missing `byzantine`, ValueError for a value
    ///   out of range and an unknown reduction, KeyError for an argument of another reduction.
    public init(_ reader: SettingReader) throws(OptimizerError) {
        let word = try reader.choice("reduce", default: Word.mean)
        for (argument, owner) in [("trim" as Name, Word.trimmedMean), ("byzantine", .krum)] where word != owner {
            guard reader.raw(argument) != nil else { continue }
            throw reader.complaint(
                argument, .keyError,
                "`\(argument)` belongs to `\"reduce\":\"\(owner.rawValue)\"`; write that, or remove `\(argument)`.",
                "nothing", argument.text)
        }
        switch word {
        case .mean: self = .mean
        case .sum: self = .sum
        case .weighted: self = .weighted
        case .median: self = .median
        case .trimmedMean: self = .trimmedMean(trim: try reader.number("trim", default: 0.1, Self.fraction))
        case .krum: self = .krum(byzantine: try reader.wholeNumber("byzantine", atLeast: 0))
        }
    }

    /// The members that describe it, with defaults written out.
    public var members: [(Name, SettingValue)] {
        func word(_ word: Word, _ argument: (Name, SettingValue)...) -> [(Name, SettingValue)] {
            [("reduce", .string(word.rawValue))] + argument
        }
        return switch self {
        case .mean: word(.mean)
        case .sum: word(.sum)
        case .weighted: word(.weighted)
        case .median: word(.median)
        case .trimmedMean(let trim): word(.trimmedMean, ("trim", .number(trim)))
        case .krum(let byzantine): word(.krum, ("byzantine", .integer(byzantine)))
        }
    }

    /// At 0.5 nothing would be left.
    private static let fraction = Bounds(words: "a number from 0 to below 0.5") { $0 >= 0 && $0 < 0.5 }

    /// The fewest pushes of a round with which it leaves out wrong ones: 2 byzantine + 3 of krum; of a trimmed mean as
    /// many that it leaves out one on each side; 1 of the others.
    public var leastPushes: Int {
        switch self {
        case .mean, .sum, .weighted, .median: 1
        case .krum(let byzantine): byzantine > (Int.max - 3) / 2 ? .max : 2 * byzantine + 3
        case .trimmedMean(let trim): Self.leastTrimmed(trim)
        }
    }

    /// The smallest n with floor(trim n) >= 1, computed as the reduction computes it; 1 for a trim of 0.
    private static func leastTrimmed(_ trim: Double) -> Int {
        guard trim > 0 else { return 1 }
        guard let quotient = Int(exactly: (1 / trim).rounded(.up)) else { return .max }
        return (quotient - 1...quotient).first { trim * Double($0) >= 1 } ?? quotient + 1
    }

    /// What it needs, for a sentence about a round with fewer pushes than that.
    public var need: String {
        switch self {
        case .krum(let byzantine):
            "krum with `\"byzantine\":\(byzantine)` needs at least \(leastPushes) pushes in a round"
        case .trimmedMean(let trim):
            "trimmed_mean with a `trim` of \(trim) needs at least \(leastPushes) pushes in a round to leave out any"
        case .mean, .sum, .weighted, .median: "a round needs at least one push"
        }
    }

    /// Refuses a number of pushes for which the reduction has no guarantee: krum needs 2 byzantine + 3.
    ///
    /// - Parameter pointer: The place of the number in the definition.
    /// - Throws: `.invalid`, a ValueError.
    public func check(pushes: Int, at pointer: String) throws(OptimizerError) {
        guard case .krum(let byzantine) = self, pushes < 3 || byzantine > (pushes - 3) / 2 else { return }
        throw .invalid(
            pointer, .valueError,
            "krum with `\"byzantine\":\(byzantine)` needs at least 2 * byzantine + 3 pushes in a round; got \(pushes). Use more workers or a smaller `byzantine`.",
            expected: "2 * \(byzantine) + 3 or more", got: "\(pushes)")
    }

    /// Refuses a `trim` that removes nothing: trimmed_mean leaves out floor(trim n) values of n on each side.
    ///
    /// - Parameters:
    ///   - pushes: The smallest number of pushes in a round; nil if it is not known.
    ///   - pointer: The place of `trim` in the definition.
    /// - Throws: `.invalid`, a ValueError.
    public func checkTrim(of pushes: Int?, at pointer: String) throws(OptimizerError) {
        guard case .trimmedMean(let trim) = self, let pushes, pushes < leastPushes else { return }
        let advice = pushes < 3 ? "Use more workers" : "Use a `trim` of more than 1/\(pushes)"
        throw .invalid(
            pointer, .valueError,
            "A `trim` of \(trim) removes none of \(pushes) pushes: it leaves out trim * pushes of the smallest values, rounded down, and as many of the largest. \(advice), or `\"reduce\":\"median\"`.",
            expected: "more than 1/\(pushes)", got: "\(trim)")
    }
}
