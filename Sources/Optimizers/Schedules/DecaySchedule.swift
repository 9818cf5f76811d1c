// The decays in their two forms: classes count steps and go on, functions count epochs and end. What each computes is a
// curve of its own, one file each.

import Names

/// A decay as a function of what has been counted.
protocol DecayCurve: Sendable {
    /// The names of its class and its function in MindSpore.
    static var names: (class: String, function: String) { get }

    /// Reads its arguments; `span` is what the clock's own is called.
    init(_ settings: SettingReader, span: Name) throws(OptimizerError)

    /// The rate after `count` steps or epochs, `span` of which are one decay.
    func value(at count: Int, of span: Int) -> Double
}

/// What a decay counts, and how many of them are one decay.
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
