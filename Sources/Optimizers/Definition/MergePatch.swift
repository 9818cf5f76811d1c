// Changes of a running model: RFC 7396 applied to its definition, except that rates are replaced whole and arrays can
// be extended with `append`. `ModelOptimizer.reconfigured` takes the result.

import Names

/// Merge patches of definitions.
public enum MergePatch {
    /// Members that a patch replaces whole: merging two schedules would mix their arguments, two clips their bounds.
    static let replacedWhole: Set<Name> = ["learning_rate", "lr", "weight_decay", "loss_scaling", "clip"]

    /// The definition with a patch applied; null resets a member to its default.
    ///
    /// - Throws: `.invalid` if the patch is not an object, or appends to something other than an array.
    public static func apply(_ patch: SettingValue, to definition: SettingValue) throws(OptimizerError) -> SettingValue
    {
        guard case .object(let entries) = patch else {
            throw .invalid("", .typeError, "A patch must be an object; got \(patch.kind).")
        }
        var members = definition.entries.map { (key: $0.key, value: Optional($0.value)) }
        var places = Dictionary(members.indices.map { (members[$0].key, $0) }, uniquingKeysWith: { first, _ in first })
        for entry in entries {
            if let place = places[entry.key] {
                members[place].value = try merged(entry, into: members[place].value)
            } else {
                places[entry.key] = members.count
                members.append((entry.key, try merged(entry, into: nil)))
            }
        }
        return .object(
            members.compactMap { member in
                member.value.map { SettingValue.Entry(key: member.key, value: $0) }
            })
    }

    /// The definition with one group patched: the group's own object, or the model's if there are no groups.
    ///
    /// - Throws: `.invalid` for members that cannot be changed in a group.
    public static func apply(
        _ patch: SettingValue, toGroup name: Name, of definition: SettingValue, layout: ArenaLayout
    ) throws(OptimizerError) -> SettingValue {
        guard let place = layout.groupIndex(of: name) else {
            throw .invalid(
                "/groups/\(name.pointerEscaped)", .keyError,
                "Unknown group `\(name)`; \(NearestNames.hint(name, among: layout.groups.map(\.name)))")
        }
        for key: Name in ["name", "params", "order_params"] where patch[key] != nil {
            throw .invalid(
                "/\(key)", .valueError, "`\(key)` cannot be changed in an existing model; create another model.",
                expected: "lr, weight_decay, grad_centralization", got: key.text)
        }
        guard let elements = definition["groups"]?.elements else {
            return try applyToImplicitGroup(patch, of: definition)
        }
        var groups = elements
        if let written = groups.indices.first(where: { Self.name(of: groups[$0], at: $0) == name }) {
            groups[written] = try apply(patch, to: groups[written])
            return definition.setting("groups", to: .array(groups))
        }
        let names = layout.groups[place].parameterIndices.map { SettingValue.string(layout.parameters[$0].name.text) }
        let group = SettingValue.object([
            SettingValue.Entry(key: "name", value: .string(name.text)),
            SettingValue.Entry(key: "params", value: .array(names)),
        ])
        let order = groups.firstIndex { $0["order_params"] != nil } ?? groups.count
        groups.insert(try apply(patch, to: group), at: order)
        return definition.setting("groups", to: .array(groups)).setting("default_group", to: nil)
    }

    /// The name of a written group; nil for the object that has the update order.
    static func name(of group: SettingValue, at place: Int) -> Name? {
        if group["order_params"] != nil { return nil }
        return Name(group["name"]?.stringValue ?? "group\(place)")
    }

    private static func applyToImplicitGroup(_ patch: SettingValue, of definition: SettingValue) throws(OptimizerError)
        -> SettingValue
    {
        var renamed: [SettingValue.Entry] = []
        for entry in patch.entries {
            guard ["lr", "weight_decay"].contains(entry.key) else {
                throw .invalid(
                    "/\(entry.key.pointerEscaped)", .keyError,
                    "In a model without `groups`, only `lr` and `weight_decay` of the group can be changed.",
                    expected: "lr, weight_decay", got: entry.key.text)
            }
            renamed.append(SettingValue.Entry(key: entry.key == "lr" ? "learning_rate" : entry.key, value: entry.value))
        }
        return try apply(.object(renamed), to: definition)
    }

    /// What a member becomes under its entry of a patch; nil where the entry removes it.
    private static func merged(_ entry: SettingValue.Entry, into present: SettingValue?) throws(OptimizerError)
        -> SettingValue?
    {
        switch entry.value {
        case .null:
            return nil
        case .object where entry.value["append"] != nil && replacedWhole.contains(entry.key):
            return try append(entry, to: present)
        case .object where !replacedWhole.contains(entry.key):
            var present = present ?? .object([])
            if entry.key == "optimizer", let name = present.stringValue {
                present = .object([SettingValue.Entry(key: "type", value: .string(name))])
            }
            return try apply(entry.value, to: present)
        default:
            return entry.value
        }
    }

    /// Applies `{"append":[...]}`: the array with more entries; entry i remains the rate of step i.
    private static func append(_ entry: SettingValue.Entry, to present: SettingValue?) throws(OptimizerError)
        -> SettingValue
    {
        let settings = SettingReader(entry.value, pointer: "/\(entry.key)", owner: "`\(entry.key)`")
        let more = try settings.numbers("append")
        try settings.finish(.keyError)
        switch present {
        case .numbers(let values)?: return .numbers(values + more)
        case .array(let elements)? where elements.isEmpty: return .numbers(more)
        default:
            throw .invalid(
                "/\(entry.key)/append", .valueError,
                "`append` extends an array, but the rate here is \(present?.kind ?? "the model's"). Replace the whole rate.",
                expected: "an array", got: present?.kind ?? "nothing")
        }
    }
}
