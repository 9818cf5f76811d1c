// What a schedule is: a function of the step, computed when asked and never materialised. `Schedules/` holds them,
// `Catalogue` names them.

/// A rate as a function of the step.
public protocol LearningRateSchedule: Sendable {
    /// MindSpore's name of it, "CosineDecayLR" or "cosine_decay_lr".
    static var name: String { get }

    /// Reads the arguments; the caller refuses whatever was not read.
    init(_ settings: SettingReader) throws(OptimizerError)

    /// How many steps it describes; nil where it goes on forever.
    var length: Int? { get }

    /// The rate of the update that follows `step` updates; `step` is below `length`. The first update asks for 0.
    ///
    /// Unit: parameter change per unit of gradient. Computed in double and rounded to float32 once.
    func value(at step: Int) -> Float
}

extension LearningRateSchedule {
    /// Class schedules go on forever.
    public var length: Int? { nil }

    /// The value, or the largest float32 where a schedule that grows has left float32.
    func finiteValue(at step: Int) -> Float { min(value(at: step), .greatestFiniteMagnitude) }
}
