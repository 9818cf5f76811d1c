// A live change of hyperparameters on its way to a model: a merge patch for the whole of it or for one group. How a
// patch merges is `MergePatch`; here is only where its parts go.

import Names
import Optimizers

/// A merge patch for a model's settings, or for one of its groups.
public struct SettingsPatch: Sendable, Equatable {
    /// The group that the patch is for; nil for the whole model.
    public var group: Name?
    /// The patch: null removes, an object merges, anything else replaces.
    public var patch: SettingValue

    /// Makes a patch of its parts.
    public init(group: Name? = nil, patch: SettingValue) {
        self.group = group
        self.patch = patch
    }

    /// Keys that say what a model is made of and cannot change while it lives.
    private static let fixedKeys: [Name] = ["parameters", "default_group", "step", "centralization_rule"]

    /// Refuses what cannot be merged and must not be stored, before the patch is logged.
    ///
    /// Asked of requests only: a journal may hold patches that earlier releases took.
    /// - Throws: `.invalid` for a `consistency` that a definition could not have, for a group named twice, and for what
    ///   takes too long to merge.
    public func check(against layout: ArenaLayout) throws(OptimizerError) {
        try DefinitionLimits.checkSequences(patch)
        if group == nil, let consistency = patch["consistency"], consistency != .null {
            try Consistency.check(consistency)
        }
        guard group == nil, let groups = patch["groups"] else { return }
        let named = try Self.named(groups)
        try DefinitionLimits.check(
            named.count, times: layout.groups.count, "changed groups", "groups", "send several patches")
        var seen: Set<Name> = []
        for (name, _) in named where !seen.insert(name).inserted {
            throw Self.complaint("/groups", "group `\(name)` is named twice; put its changes into one object")
        }
    }

    /// The settings after the patch.
    ///
    /// In a patch of the whole model, `groups` names each group to change: as an object by name, or as an array of
    /// objects with a `name`. So one patch can extend the arrays of the model and of all groups.
    /// - Throws: `invalid` for an unknown group, for a key that cannot change, for an append to what is not an array.
    func applied(to settings: SettingValue, layout: ArenaLayout) throws(OptimizerError) -> SettingValue {
        if let group {
            return try MergePatch.apply(patch, toGroup: group, of: settings, layout: layout)
        }
        for key in Self.fixedKeys where patch[key] != nil {
            throw Self.complaint("/\(key)", "`\(key)` is fixed when the model is created; create another model")
        }
        var rest = patch["consistency"] == nil ? patch : patch.setting("consistency", to: nil)
        var result = settings
        if let groups = patch["groups"] {
            rest = rest.setting("groups", to: nil)
            for (name, changes) in try Self.named(groups) {
                result = try MergePatch.apply(changes, toGroup: name, of: result, layout: layout)
            }
        }
        return try MergePatch.apply(rest, to: result)
    }

    private static func named(_ groups: SettingValue) throws(OptimizerError) -> [(name: Name, changes: SettingValue)] {
        if case .object(let entries) = groups { return entries.map { ($0.key, $0.value) } }
        var found: [(Name, SettingValue)] = []
        for element in groups.elements ?? [.null] {
            guard case .string(let name)? = element["name"] else {
                throw complaint("/groups", "name each group: {\"groups\":{\"NAME\":{\"lr\":0.01}}}")
            }
            found.append((Name(name), .object(element.entries.filter { $0.key != "name" })))
        }
        return found
    }

    private static func complaint(_ pointer: String, _ detail: String) -> OptimizerError {
        .invalid(Complaint(pointer: pointer, exception: .valueError, detail: detail))
    }
}
