// The hyperparameters of a push as the history records them: numbers with a name each.

import Names
import Optimizers

extension Hyperparameters {
    /// Their numbers by place, such as `hyperparameters/betas/0` and `hyperparameters/groups/conv/momentum`; true is 1,
    /// and false is 0.
    ///
    /// Learning rates are left out: each update records those it used.
    var scalars: [Scalar] {
        var scalars: [Scalar] = []
        setting.collect(at: Self.place, into: &scalars)
        return scalars
    }

    /// The first part of their names.
    private static let place = "hyperparameters"
}

extension SettingValue {
    fileprivate func collect(at place: String, into scalars: inout [Scalar]) {
        func note(_ value: Double) { scalars.append(Scalar(name: Name(place), value: value)) }
        switch self {
        case .null, .string: break
        case .boolean(let value): note(value ? 1 : 0)
        case .integer(let value): note(Double(value))
        case .number(let value): note(value)
        case .numbers, .array:
            for (index, element) in (elements ?? []).enumerated() {
                element.collect(at: "\(place)/\(index)", into: &scalars)
            }
        case .object(let entries):
            for entry in entries where !entry.isRate {
                entry.value.collect(at: "\(place)/\(entry.key.text)", into: &scalars)
            }
        }
    }
}

extension SettingValue.Entry {
    /// Whether it is a learning rate, and not a group with such a name.
    fileprivate var isRate: Bool {
        if case .object = value { return false }
        return key == "learning_rate" || key == "lr"
    }
}
