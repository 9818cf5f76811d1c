// The two forms of decays: classes count steps and are endless, functions count epochs and end. Each curve has its own
// file.

import Names

/// A decay as a function of a count.
protocol DecayCurve: Sendable {
    /// The names of its class and its function in MindSpore.
    static var names: (class: String, function: String) { get }

    /// Reads its arguments; `span` is the name of the clock's own argument.
    init(_ settings: SettingReader, span: Name) throws(OptimizerError)

    /// The rate after `count` steps or epochs; one decay takes `span` of them.
    func value(at count: Int, of span: Int) -> Double
}

/// The unit that a decay counts, and the length of one decay in it.
protocol DecayClock: Sendable {
    static var spanName: Name { get }
    static var isFunction: Bool { get }
    init(_ settings: SettingReader) throws(OptimizerError)
    var length: Int? { get }
    var span: Int { get }
    func count(at step: Int) -> Int
}

/// The steps of a class schedule.
struct StepClock: DecayClock {
    static let spanName: Name = "decay_steps"
    static let isFunction = false
    let span: Int
    var length: Int? { nil }

    init(_ settings: SettingReader) throws(OptimizerError) { span = try settings.integer(Self.spanName, atLeast: 1) }

    func count(at step: Int) -> Int { step }
}

extension EpochClock: DecayClock {
    static let spanName: Name = "decay_epoch"
    static let isFunction = true
    var length: Int? { totalSteps }
    var span: Int { decayEpochs }

    init(_ settings: SettingReader) throws(OptimizerError) { try self.init(settings, span: Self.spanName) }

    func count(at step: Int) -> Int { epoch(step) }
}

/// A rate that decays along a curve, computed when asked.
struct DecaySchedule<Curve: DecayCurve, Clock: DecayClock>: LearningRateSchedule {
    static var name: String { Clock.isFunction ? Curve.names.function : Curve.names.class }
    private let curve: Curve
    private let clock: Clock

    init(_ settings: SettingReader) throws(OptimizerError) {
        curve = try Curve(settings, span: Clock.spanName)
        clock = try Clock(settings)
    }

    var length: Int? { clock.length }

    func value(at step: Int) -> Float { Float(curve.value(at: clock.count(at: step), of: clock.span)) }
}
