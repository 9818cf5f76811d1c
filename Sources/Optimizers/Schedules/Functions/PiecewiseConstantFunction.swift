// The function piecewise_constant_lr, which has no class.

/// An array of constant pieces, found by binary search and never materialised.
///
///     value(i) = learning_rates[k] for milestone[k - 1] <= i < milestone[k]
///
/// - Throws: TypeError unless both are arrays of numbers, `milestone` of integers; ValueError if a milestone is below 1
///   or below the previous one, or if the lengths differ. Rates of any sign and two empty arrays are accepted.
/// - Source: mindspore.nn.piecewise_constant_lr.
struct PiecewiseConstantFunction: LearningRateSchedule {
    static let name = "piecewise_constant_lr"
    let milestones: [Int]
    let rates: [Float]

    init(_ settings: SettingReader) throws(OptimizerError) {
        milestones = try Self.milestones(settings)
        let values = try settings.numbers("learning_rates")
        guard values.count == milestones.count else {
            throw settings.complaint(
                "learning_rates", .valueError, "`milestone` and `learning_rates` must have the same length.",
                "\(milestones.count) rates", "\(values.count)")
        }
        rates = try LearningRate.entries(values, pointer: settings.place(of: "learning_rates"))
    }

    private static func milestones(_ settings: SettingReader) throws(OptimizerError) -> [Int] {
        var milestones: [Int] = []
        for value in try settings.numbers("milestone") {
            guard let milestone = Int(exactly: value) else {
                throw settings.complaint(
                    "milestone", .typeError, "`milestone` must be integers; got \(value).", "integers", "\(value)")
            }
            guard milestone >= max(1, milestones.last ?? 1) else {
                throw settings.complaint(
                    "milestone", .valueError, "`milestone` must be integers >= 1 in ascending order; got \(milestone).",
                    "integers >= 1 in ascending order", "\(milestone)")
            }
            milestones.append(milestone)
        }
        return milestones
    }

    var length: Int? { milestones.last ?? 0 }

    func value(at step: Int) -> Float {
        var (low, high) = (0, milestones.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if step < milestones[middle] { high = middle } else { low = middle + 1 }
        }
        return rates[low]
    }
}
