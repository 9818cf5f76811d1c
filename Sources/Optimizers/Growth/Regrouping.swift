// The `groups` of a definition after parameters were added, moved or removed. Globs and names stay as written; only
// names that come or go are edited, and `order_params` appears only where the groups alone would give another order.

import Names

/// Rewrites `groups` so that a definition leads to a placement.
struct Regrouping {
    /// The definition before the change.
    let definition: SettingValue
    /// Its placement.
    let old: Placement
    /// The placement that it must lead to.
    let new: Placement
    let catalogue: Catalogue

    /// The default group, which a definition need not write.
    private static let standard: Name = "default"

    /// The plan and the rules of the placement.
    ///
    /// - Throws: `.invalid` if the parameters cannot be placed like this, such as for a group without any.
    func draft() throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        guard definition["groups"] != nil else { return try placed(definition) }
        try checkGroups()
        let groups = regrouped()
        if let drafted = try? draft(ordered(definition.setting("groups", to: .array(groups)))),
            drafted.plan.layout.placement == new
        {
            return drafted
        }
        // A glob would take what belongs to the default group, so that group is written too.
        let explicit = definition.setting("groups", to: .array(writingDefault(into: groups)))
        return try placed(ordered(explicit.setting("default_group", to: nil)))
    }

    private func draft(_ definition: SettingValue) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        try catalogue.draft(definition: definition, parameters: new.places.map(\.definition))
    }

    private func placed(_ definition: SettingValue) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        let drafted = try draft(definition)
        guard drafted.plan.layout.placement == new else {
            throw .invalid("/parameters", .valueError, "The groups of this model cannot hold the parameters like this.")
        }
        return drafted
    }

    /// Refuses a group that loses its last parameter.
    private func checkGroups() throws(OptimizerError) {
        let members = new.members
        for name in old.members.keys.sorted() where members[name] == nil && name != Self.standard {
            throw .invalid(
                "/parameters", .valueError,
                "Group `\(name)` would have no parameters; leave at least one in it.")
        }
    }

    /// The written groups, each with its new members.
    private func regrouped() -> [SettingValue] {
        let (before, now) = (old.members, new.members)
        var groups: [SettingValue] = []
        for (place, group) in (definition["groups"]?.elements ?? []).enumerated() {
            guard let name = MergePatch.name(of: group, at: place) else {
                groups.append(group)
                continue
            }
            let (was, members) = (Set(before[name] ?? []), now[name] ?? [])
            if members.isEmpty { continue }
            let isMember = Set(members)
            let written = (group["params"]?.elements ?? []).filter { entry in
                entry.stringValue.map { stays(Name($0), isMember) } ?? true
            }
            let arrivals = members.filter { !was.contains($0) }.map { SettingValue.string($0.text) }
            // Without a name, it is called after its place, which may change.
            let named = group["name"] == nil ? group.setting("name", to: .string(name.text)) : group
            groups.append(named.setting("params", to: .array(written + arrivals)))
        }
        return groups
    }

    /// Whether an entry of `params` stays: the name of a member, or a glob that still matches something.
    private func stays(_ entry: Name, _ isMember: Set<Name>) -> Bool {
        if isMember.contains(entry) { return true }
        if old.index(of: entry) != nil || !Glob.isPattern(entry) { return false }
        let glob = Glob(entry)
        return new.places.contains { glob.matches($0.definition.name) }
    }

    private func writingDefault(into groups: [SettingValue]) -> [SettingValue] {
        let isWritten = groups.enumerated().contains { MergePatch.name(of: $1, at: $0) == Self.standard }
        guard !isWritten, let members = new.members[Self.standard] else { return groups }
        let group = SettingValue.object([
            SettingValue.Entry(key: "name", value: .string(Self.standard.text)),
            SettingValue.Entry(key: "params", value: .array(members.map { .string($0.text) })),
        ])
        let order = groups.firstIndex { $0["order_params"] != nil } ?? groups.count
        return groups.prefix(order) + [group] + groups.dropFirst(order)
    }

    /// The definition with the update order written out if its groups would give another one.
    private func ordered(_ definition: SettingValue) -> SettingValue {
        let order = new.places.filter { $0.group != nil }.map { SettingValue.string($0.definition.name.text) }
        var groups = definition["groups"]?.elements ?? []
        let entry = SettingValue.object([SettingValue.Entry(key: "order_params", value: .array(order))])
        if let place = groups.firstIndex(where: { $0["order_params"] != nil }) {
            groups[place] = groups[place].setting("order_params", to: .array(order))
        } else {
            let natural = try? draft(definition).plan.layout.placement
            if natural == nil || natural == new { return definition }
            groups.append(entry)
        }
        return definition.setting("groups", to: .array(groups))
    }
}
