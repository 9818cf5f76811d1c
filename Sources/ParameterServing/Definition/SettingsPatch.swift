// A change of hyperparameters during training: a merge patch for the whole model or one group. `MergePatch` merges;
// this file only dispatches its parts.

import Names
import Optimizers

/// A merge patch for a model's settings, or for one of its groups.
public struct SettingsPatch: Sendable, Equatable {
    /// The group to patch; nil for the whole model.
    public var group: Name?
    /// The patch: null removes, an object merges, anything else replaces.
    public var patch: SettingValue
    /// Whether its `consistency` has a meaning; earlier releases logged any and ignored it.
    var changesConsistency = true

    /// Makes a patch from its parts.
    public init(group: Name? = nil, patch: SettingValue) {
        self.group = group
        self.patch = patch
    }

    /// Keys that define what a model is made of and cannot change later.
    private static let fixedKeys: [Name] = ["default_group", "step", "centralization_rule"]

    /// Refuses a patch that cannot be merged, before it is logged.
    ///
    /// Applies to requests only: a journal may contain other patches from earlier releases.
    /// - Throws: `.invalid` for a group named twice, and for patches that take too long to merge.
    public func check(against layout: ArenaLayout) throws(OptimizerError) {
        try DefinitionLimits.checkSequences(patch)
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
    /// objects with a `name`. This way one patch can extend the arrays of the model and of all groups.
    /// - Throws: `invalid` for an unknown group, a key that cannot change, or an append to something other than an
    ///   array.
    func applied(to settings: SettingValue, layout: ArenaLayout) throws(OptimizerError) -> SettingValue {
        if let group {
            return try MergePatch.apply(patch, toGroup: group, of: settings, layout: layout)
        }
        for key in Self.fixedKeys where patch[key] != nil {
            throw Self.complaint("/\(key)", "`\(key)` is fixed when the model is created; create another model")
        }
        var (rest, result) = (patch, settings)
        if placesParameters { rest = rest.setting("parameters", to: nil) }
        if let consistency = patch["consistency"] {
            rest = rest.setting("consistency", to: nil)
            if changesConsistency { result = try Self.consistency(consistency, mergedInto: result) }
        }
        if let groups = patch["groups"] {
            rest = rest.setting("groups", to: nil)
            for (name, changes) in try Self.named(groups) {
                result = try MergePatch.apply(changes, toGroup: name, of: result, layout: layout)
            }
        }
        return try MergePatch.apply(rest, to: result)
    }

    /// The settings with `consistency` merged; another mode replaces it whole, because each mode has members of its own.
    private static func consistency(
        _ change: SettingValue, mergedInto settings: SettingValue
    ) throws(OptimizerError) -> SettingValue {
        let current = try Consistency(of: settings)
        var result = settings
        if let mode = change["mode"], mode != .string(current.mode.text) {
            result = result.setting("consistency", to: nil)
        } else if settings["consistency"] == nil, case .object = change {
            result = result.setting("consistency", to: current.canonical)
        }
        let patch = SettingValue.object([SettingValue.Entry(key: "consistency", value: change)])
        result = try MergePatch.apply(patch, to: result)
        _ = try Consistency(of: result)
        return result
    }

    /// Whether it is logged as a change of the consistency.
    var hasConsistency: Bool { group == nil && changesConsistency && patch["consistency"] != nil }

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
