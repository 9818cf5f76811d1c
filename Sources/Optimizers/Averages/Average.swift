// The averages of the parameters that a model keeps beside them. A definition lists them; the server stores their
// values with each version.

import Names

/// An average of a model's parameters over its updates.
///
/// Source: `torch.optim.swa_utils.AveragedModel`, with `use_buffers=False`.
public struct Average: Sendable, Equatable {
    /// The formula; a model has at most one average of each kind.
    public enum Kind: String, CaseIterable, Sendable {
        /// An exponential moving average: a' = a + (1 - decay) (w - a).
        case ema
        /// Stochastic weight averaging, the mean of all values taken: a' = a + (w - a) / (n + 1).
        case swa

        /// The name in definitions, queries and answers.
        public var name: Name { Name(rawValue) }
    }

    /// The formula.
    public let kind: Kind
    /// The share of the old value that an update keeps, from 0 to 1; 0 and unused for `swa`.
    public let decay: Double
    /// The first update of the model, counted from 1, that the average takes in.
    public let start: Int
    /// The distance, in updates of the model, of those that it takes in; 1 for `ema`.
    public let every: Int

    /// Whether it takes in the update that brought the model to `step`.
    public func isDue(at step: Int) -> Bool { step >= max(start, 1) && (step - start) % every == 0 }

    /// The step of the first update after `step` that it takes in.
    public func nextUpdate(after step: Int) -> Int {
        step < start ? start : start + ((step - start) / every + 1) * every
    }
}

extension Average {
    /// Reads the member `averages` of a definition, in the order of `Kind`.
    ///
    /// - Throws: `.invalid` for unknown kinds and members, and for numbers out of range.
    static func read(_ setting: SettingValue?) throws(OptimizerError) -> [Average] {
        guard let setting else { return [] }
        let reader = try SettingReader(average: setting, pointer: "/averages", example: #"{"ema":{"decay":0.999}}"#)
        var averages: [Average] = []
        for kind in Kind.allCases {
            if let setting = reader.raw(kind.name) { averages.append(try Average(kind, setting)) }
        }
        try reader.finish(.keyError)
        return averages
    }

    private init(_ kind: Kind, _ setting: SettingValue) throws(OptimizerError) {
        let example = kind == .ema ? #"{"decay":0.999}"# : #"{"start":1000,"every":100}"#
        let reader = try SettingReader(average: setting, pointer: "/averages/\(kind.rawValue)", example: example)
        self.kind = kind
        decay = kind == .ema ? try reader.number("decay", default: 0.999, .unit) : 0
        start = try reader.updates("start", default: 0, atLeast: 0)
        every = kind == .swa ? try reader.updates("every", default: 1, atLeast: 1) : 1
        try reader.finish(.keyError)
    }

    /// The average as read, defaults written out.
    var canonical: SettingValue {
        .array([.string(kind.rawValue), .number(decay + 0), .integer(start), .integer(every)])
    }
}

extension SettingReader {
    /// Makes a reader of a setting that must be an object such as `example`.
    fileprivate convenience init(
        average setting: SettingValue, pointer: String, example: String
    ) throws(OptimizerError) {
        let name = "`\(pointer.split(separator: "/").last ?? "")`"
        guard case .object = setting else {
            throw .wrongKind(pointer, name, "an object such as \(example)", setting, expected: "an object")
        }
        self.init(setting, pointer: pointer, owner: name)
    }

    /// A number of updates that can be counted.
    fileprivate func updates(
        _ key: Name, default fallback: Int, atLeast least: Int
    ) throws(OptimizerError) -> Int {
        let count = try wholeNumber(key, default: fallback, atLeast: least)
        guard OptimizerState.steps.contains(count) else {
            throw complaint(
                key, .valueError, "`\(key)` must be below 2^53; got \(count).", "an integer below 2^53", "\(count)")
        }
        return count
    }
}
