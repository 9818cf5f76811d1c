// Reads `groups`: the members of each group and the update order. `PlanBuilder` then reads the rates.

import Names

/// The members of the groups, before their settings are read.
struct GroupMembership {
    /// One group: its name, the index of its object in `groups`, its members in order.
    struct Group {
        let name: Name
        let pointer: String
        let setting: SettingValue
        var members: [Int]
    }

    var groups: [Group]
    /// Every grouped parameter, in update order.
    var order: [Int]
    var warnings: [String] = []
}

/// Reads `groups` with MindSpore's checks; parameters are indices into the body's list.
struct GroupReader {
    let parameters: [ParameterDefinition]
    let framework: Framework
    let placeByName: [Name: Int]
    static let keys: [Name] = [
        "name", "params", "optimizer", "lr", "weight_decay", "grad_centralization", "order_params",
    ]

    init(parameters: [ParameterDefinition], framework: Framework) {
        self.parameters = parameters
        self.framework = framework
        placeByName = Dictionary(
            parameters.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// One implicit group with every parameter, in the body's order.
    func ungrouped() -> GroupMembership {
        let all = Array(parameters.indices)
        let group = GroupMembership.Group(name: "default", pointer: "", setting: .object([]), members: all)
        return GroupMembership(groups: [group], order: all)
    }

    /// Reads the array `groups`.
    func read(_ setting: SettingValue, addsDefault: Bool) throws(OptimizerError) -> GroupMembership {
        guard let elements = setting.elements else {
            throw .wrongKind("/groups", "`groups`", "an array of objects", setting)
        }
        var membership = GroupMembership(groups: [], order: [])
        var orderSetting: (place: Int, value: SettingValue)?
        for (place, element) in elements.enumerated() {
            guard case .object = element else {
                throw .invalid(
                    "/groups/\(place)", .typeError, "A group must be an object; got \(element.kind).",
                    expected: "an object", got: element.kind)
            }
            if let order = element["order_params"] {
                orderSetting = (place, order)
                membership.warnings += ignored(beside: element, place: place)
            } else {
                membership.groups.append(try group(element, place: place))
            }
        }
        guard !membership.groups.isEmpty else {
            throw .invalid("/groups", .valueError, "`groups` must contain at least one group with `params`.")
        }
        try assign(&membership)
        try cover(&membership, addsDefault: addsDefault)
        try order(&membership, orderSetting)
        return membership
    }

    private func ignored(beside element: SettingValue, place: Int) -> [String] {
        let keys = element.entries.map(\.key).filter { $0 != "order_params" }
        if keys.isEmpty { return [] }
        let list = keys.map { "`\($0)`" }.joined(separator: ", ")
        return ["/groups/\(place): \(list) beside `order_params` is ignored."]
    }

    private func group(_ setting: SettingValue, place: Int) throws(OptimizerError) -> GroupMembership.Group {
        let pointer = "/groups/\(place)"
        if !framework.words.groupsHoldArguments {
            for entry in setting.entries where !Self.keys.contains(entry.key) {
                if setting["optimizer"] != nil,
                    let misplaced = MisplacedMember.besideOptimizer(entry, in: pointer, .keyError)
                {
                    throw misplaced
                }
                throw .invalid(
                    "\(pointer)/\(entry.key.pointerEscaped)", .keyError,
                    "Unknown field `\(entry.key)` of a group; \(NearestNames.hint(entry.key, among: Self.keys))",
                    expected: Self.keys.map(\.text).joined(separator: ", "), got: entry.key.text)
            }
        }
        let name = setting["name"] ?? .string("group\(place)")
        guard let name = name.stringValue else {
            throw .wrongKind("\(pointer)/name", "A group's `name`", "a string", name)
        }
        guard !name.isEmpty, name.utf8.count <= GroupPlan.longestName else {
            throw .invalid(
                "\(pointer)/name", .valueError, "A group's `name` must have 1 to \(GroupPlan.longestName) bytes.")
        }
        return GroupMembership.Group(name: Name(name), pointer: pointer, setting: setting, members: [])
    }

    /// The strings of `params` or `order_params`.
    func names(_ setting: SettingValue, pointer: String, key: Name) throws(OptimizerError) -> [Name] {
        guard let elements = setting.elements else {
            throw .wrongKind("\(pointer)/\(key)", "`\(key)`", "an array of names", setting)
        }
        var names: [Name] = []
        for (place, element) in elements.enumerated() {
            guard let name = element.stringValue else {
                throw .invalid(
                    "\(pointer)/\(key)/\(place)", .typeError, "`\(key)` must contain names; got \(element.kind).",
                    expected: "a name", got: element.kind)
            }
            names.append(Name(name))
        }
        return names
    }

    /// Assigns each parameter to the first group that names it; a literal name takes precedence over every glob.
    private func assign(_ membership: inout GroupMembership) throws(OptimizerError) {
        var entries: [[Name]] = []
        var taken = Set<Name>()
        var owner = [Int?](repeating: nil, count: parameters.count)
        for (index, group) in membership.groups.enumerated() {
            guard taken.insert(group.name).inserted else {
                throw .invalid(
                    "\(group.pointer)/name", .valueError, "Two groups are named `\(group.name)`; rename one of them.",
                    expected: "a unique name", got: group.name.text)
            }
            let entry = try params(of: group)
            for (place, name) in entry.enumerated() {
                guard let parameter = placeByName[name] else { continue }
                guard owner[parameter] == nil else {
                    throw .invalid(
                        "\(group.pointer)/params/\(place)", .runtimeError,
                        "`\(name)` is named twice in `groups`; name it once.", expected: "each name once",
                        got: name.text)
                }
                owner[parameter] = index
            }
            entries.append(entry)
        }
        for index in membership.groups.indices {
            let group = membership.groups[index]
            membership.groups[index].members = try members(entries[index], of: group, index: index, owner: &owner)
        }
    }

    private func params(of group: GroupMembership.Group) throws(OptimizerError) -> [Name] {
        guard let setting = group.setting["params"] else {
            throw .invalid(
                "\(group.pointer)/params", .keyError, "A group needs `params`, an array of names or globs.",
                expected: "params", got: "nothing")
        }
        let entry = try names(setting, pointer: group.pointer, key: "params")
        guard !entry.isEmpty else {
            throw .invalid(
                "\(group.pointer)/params", .valueError, "A group needs at least one parameter in `params`.",
                expected: "names or globs", got: "none")
        }
        return entry
    }

    private func members(
        _ entry: [Name], of group: GroupMembership.Group, index: Int, owner: inout [Int?]
    ) throws(OptimizerError) -> [Int] {
        var members: [Int] = []
        for (place, name) in entry.enumerated() {
            if let parameter = placeByName[name] {
                members.append(parameter)
                continue
            }
            guard name.utf8.count <= Glob.longest else {
                throw .invalid(
                    "\(group.pointer)/params/\(place)", .valueError,
                    "A glob can have at most \(Glob.longest) bytes; shorten it.")
            }
            let glob = Glob(name)
            let matching = Glob.isPattern(name) ? parameters.indices.filter { glob.matches(parameters[$0].name) } : []
            guard !matching.isEmpty else {
                throw unknown(name, pointer: "\(group.pointer)/params/\(place)")
            }
            for parameter in matching where owner[parameter] == nil {
                owner[parameter] = index
                members.append(parameter)
            }
        }
        guard !members.isEmpty else {
            throw .invalid(
                "\(group.pointer)/params", .valueError,
                "Group `\(group.name)` is empty, because every parameter it matches belongs to an earlier group; remove it or change its `params`.",
                expected: "at least one parameter", got: "none")
        }
        return members
    }

    func unknown(_ name: Name, pointer: String) -> OptimizerError {
        .invalid(
            pointer, .valueError,
            "Unknown parameter `\(name)`; \(NearestNames.hint(name, among: parameters.lazy.map(\.name)))",
            expected: "the name of a parameter, or a glob that matches one", got: name.text)
    }
}

extension GroupPlan {
    /// The longest name of a group, in bytes.
    public static let longestName = 256
}
