// A live change of hyperparameters: RFC 7396 merge patch over the settings, with two additions that the settings need:
// groups are addressed by name, and `{"append":[...]}` extends a learning-rate array.

import Optimizers

/// A merge patch for a model's settings, or for one of its groups.
public struct SettingsPatch: Sendable, Equatable {
    /// The group that the patch is for; nil for the whole model.
    public var group: String?
    /// The patch: null removes, an object merges, anything else replaces.
    public var patch: Setting

    /// Makes a patch of its parts.
    public init(group: String? = nil, patch: Setting) {
        self.group = group
        self.patch = patch
    }

    /// Keys that describe what a model is made of and cannot change while it lives.
    private static let fixedKeys = ["parameters", "default_group", "step", "centralization_rule"]

    /// The settings after the patch.
    ///
    /// - Throws: `invalid` for an unknown group, for a key that cannot change, for an append to what is no array.
    public func applied(to settings: Setting) throws(ServingError) -> Setting {
        guard case .object(let changes) = patch else {
            throw complaint("", "the patch must be an object", exception: .typeError)
        }
        if let group { return try patching(group: group, changes, in: settings, pointer: "") }
        var result = settings
        for change in changes {
            if Self.fixedKeys.contains(change.key) {
                throw complaint("/\(change.key)", "`\(change.key)` is fixed when the model is created; create it anew")
            }
            result =
                change.key == "groups"
                ? try patchingGroups(change.value, in: result)
                : try result.merging(change, pointer: "/\(change.key)")
        }
        return result
    }

    private func patchingGroups(_ value: Setting, in settings: Setting) throws(ServingError) -> Setting {
        var result = settings
        for (name, changes, pointer) in try namedGroups(value) {
            result = try patching(group: name, changes, in: result, pointer: pointer)
        }
        return result
    }

    /// Groups in a patch come as an object by name, or as an array of objects with a `name`.
    private func namedGroups(
        _ value: Setting
    ) throws(ServingError) -> [(name: String, changes: [Setting.Entry], pointer: String)] {
        var found: [(String, [Setting.Entry], String)] = []
        switch value {
        case .object(let groups):
            for group in groups {
                guard case .object(let changes) = group.value else { throw groupsComplaint }
                found.append((group.key, changes, "/groups/\(group.key)"))
            }
        case .array(let groups):
            for (index, group) in groups.enumerated() {
                guard case .object(let changes) = group, case .string(let name)? = group["name"] else {
                    throw groupsComplaint
                }
                found.append((name, changes.filter { $0.key != "name" }, "/groups/\(index)"))
            }
        default: throw groupsComplaint
        }
        return found
    }

    private var groupsComplaint: ServingError {
        complaint("/groups", "write {\"groups\":{\"NAME\":{\"lr\":0.01}}}", exception: .typeError)
    }

    private func patching(
        group name: String, _ changes: [Setting.Entry], in settings: Setting, pointer: String
    ) throws(ServingError) -> Setting {
        guard case .array(var groups)? = settings["groups"],
            let index = groups.indices.first(where: { Self.name(of: groups[$0], at: $0) == name })
        else {
            throw complaint(pointer, "there is no group called `\(name)`; GET .../groups lists them")
        }
        for change in changes {
            if ["name", "params", "order_params"].contains(change.key) {
                throw complaint("\(pointer)/\(change.key)", "a group's members are fixed when the model is created")
            }
            groups[index] = try groups[index].merging(change, pointer: "\(pointer)/\(change.key)")
        }
        return settings.setting("groups", to: .array(groups))
    }

    private static func name(of group: Setting, at index: Int) -> String {
        if case .string(let name)? = group["name"] { return name }
        return "group\(index)"
    }
}

private func complaint(_ pointer: String, _ detail: String, exception: ExceptionClass? = .valueError) -> ServingError {
    .invalid([Complaint(pointer: pointer, exception: exception, detail: detail)])
}

extension Setting {
    /// The object with one key set; the key keeps its place, a new one goes last.
    func setting(_ key: String, to value: Setting) -> Setting {
        guard case .object(var entries) = self else { return .object([Entry(key: key, value: value)]) }
        if let index = entries.firstIndex(where: { $0.key == key }) {
            entries[index].value = value
        } else {
            entries.append(Entry(key: key, value: value))
        }
        return .object(entries)
    }

    /// The object without a key.
    private func removing(_ key: String) -> Setting {
        guard case .object(let entries) = self else { return self }
        return .object(entries.filter { $0.key != key })
    }

    /// RFC 7396 for one member.
    ///
    /// Rates and decays are replaced whole: a schedule is one value, not a set of options.
    fileprivate func merging(_ change: Entry, pointer: String) throws(ServingError) -> Setting {
        if change.value == .null { return removing(change.key) }
        if change.key == "learning_rate" || change.key == "lr" || change.key == "weight_decay" {
            if let more = change.value["append"] {
                return setting(change.key, to: try (self[change.key] ?? .null).appending(more, pointer: pointer))
            }
            return setting(change.key, to: change.value)
        }
        guard case .object(let members) = change.value, change.key == "optimizer" else {
            return setting(change.key, to: change.value)
        }
        var inner = self[change.key] ?? .object([])
        if case .string = inner { inner = .object([Entry(key: "type", value: inner)]) }
        for member in members { inner = try inner.merging(member, pointer: "\(pointer)/\(member.key)") }
        return setting(change.key, to: inner)
    }

    private func appending(_ more: Setting, pointer: String) throws(ServingError) -> Setting {
        guard case .numbers(let added) = more else {
            throw complaint("\(pointer)/append", "`append` takes an array of numbers", exception: .typeError)
        }
        guard case .numbers(let existing) = self else {
            throw complaint(pointer, "only a learning rate that is an array can be appended to")
        }
        return .numbers(existing + added)
    }
}
