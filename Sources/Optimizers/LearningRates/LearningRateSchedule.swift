// A schedule: a function of the step, computed on demand. `Schedules/` has the implementations, `Catalogue` their
// names.

/// A rate as a function of the step.
public protocol LearningRateSchedule: Sendable {
    /// Its name in MindSpore, "CosineDecayLR" or "cosine_decay_lr".
    static var name: String { get }

    /// Reads the arguments; the caller refuses arguments that were not read.
    init(_ settings: SettingReader) throws(OptimizerError)

    /// The number of steps it defines; nil if endless.
    var length: Int? { get }

    /// The rate for the update after `step` updates; `step` is less than `length`, and 0 for the first update.
    ///
    /// Unit: parameter change per unit of gradient. Computed in double and rounded to float32 once.
    func value(at step: Int) -> Float
}

extension LearningRateSchedule {
    /// Class schedules are endless.
    public var length: Int? { nil }

    /// The value, or the largest float32 if a growing schedule exceeds float32.
    func finiteValue(at step: Int) -> Float { min(value(at: step), .greatestFiniteMagnitude) }
}
