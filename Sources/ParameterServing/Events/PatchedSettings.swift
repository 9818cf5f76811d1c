// The effect of a patch: which settings changed, from which value to which, and when. Long values are abbreviated,
// because events stay in memory for readers that reconnect.

import Names
import Optimizers

/// The settings that a patch changed.
public struct PatchedSettings: Sendable, Equatable {
    /// One setting with its old and its new value.
    public struct Change: Sendable, Equatable {
        /// A JSON pointer into the definition; a group is named, as in a patch: `/groups/conv/learning_rate`.
        public var path: String
        /// The value in effect before; null if there was none.
        public var old: SettingValue
        /// The value in effect from now on; null if there is none.
        public var new: SettingValue
    }

    /// The most changes that are listed.
    public static let mostChanges = 64
    /// The most numbers of a listed value.
    public static let mostValues = 16
    /// The most bytes of a listed text.
    public static let mostText = 256

    /// The first changes, in the order of the definition.
    public private(set) var changes: [Change] = []
    /// The number of further changes.
    public private(set) var more = 0
    /// The model's step: the next update is the first one with the new values.
    public let step: Int
    /// The version that the patch made.
    public let version: Int

    /// The facts of the model before and after the change, for values that the settings do not write.
    typealias Standing = (before: ModelFacts, after: ModelFacts)

    /// Compares the settings before and after a patch.
    ///
    /// - Parameter standing: where values come from that the settings do not write; nil if all such are null.
    init(from old: SettingValue, to new: SettingValue, standing: Standing? = nil, step: Int, version: Int) {
        (self.step, self.version) = (step, version)
        compare(old, new, at: [], standing)
    }

    var bytes: Int { changes.reduce(0) { $0 + 4 * Self.mostText + $1.path.utf8.count } }

    private mutating func compare(
        _ old: SettingValue?, _ new: SettingValue?, at path: [Name], _ standing: Standing?
    ) {
        if old == new { return }
        switch (old, new) {
        case (.object(let before)?, .object(let after)?):
            let added = after.map(\.key).filter { old?[$0] == nil }
            for key in before.map(\.key) + added {
                compare(old?[key], new?[key], at: path + [key], standing)
            }
        case (.array(let before)?, .array(let after)?) where before.count == after.count:
            for (index, (one, other)) in zip(before, after).enumerated() {
                let name = other["name"]?.stringValue ?? "\(index)"
                compare(one, other, at: path + [Name(name)], standing)
            }
        default:
            guard changes.count < Self.mostChanges else { return more += 1 }
            let before = old ?? standing?.before.standing(at: path) ?? .null
            let after = new ?? standing?.after.standing(at: path) ?? .null
            let pointer = path.reduce("") { "\($0)/\($1.pointerEscaped)" }
            changes.append(Change(path: pointer, old: before.abbreviated, new: after.abbreviated))
        }
    }
}

extension SettingValue {
    /// The value itself if it is short; otherwise its first and last number, and how many there are.
    fileprivate var abbreviated: SettingValue {
        if valueCount <= PatchedSettings.mostValues, textBytes <= PatchedSettings.mostText { return self }
        var entries = [Entry(key: "values", value: .integer(valueCount))]
        if case .numbers(let values) = self, let first = values.first, let last = values.last {
            entries += [Entry(key: "first", value: .number(first)), Entry(key: "last", value: .number(last))]
        }
        return .object(entries)
    }

    /// The bytes of all texts in it.
    private var textBytes: Int {
        switch self {
        case .string(let text): text.utf8.count
        case .array(let elements): elements.reduce(0) { $0 + $1.textBytes }
        case .object(let entries): entries.reduce(0) { $0 + $1.key.utf8.count + $1.value.textBytes }
        case .null, .boolean, .integer, .number, .numbers: 0
        }
    }
}
