// The member `parameters` of a patch: parameters that move to another group, are frozen, or are trained again. Their
// values, and what they have in the update order, stay.

import Names
import Optimizers

extension SettingsPatch {
    /// Whether it has the member.
    var placesParameters: Bool { group == nil && patch["parameters"] != nil }

    /// The parameters that it moves, freezes or trains again; empty for a patch of settings alone.
    public var parameters: [Name] { group == nil ? patch["parameters"]?.entries.map(\.key) ?? [] : [] }

    /// Where the parameters are after the patch.
    ///
    /// - Throws: `.invalid` for a parameter or a group that the model lacks, and for a trained parameter without a group
    ///   or with an integer type.
    func placement(after layout: ArenaLayout) throws(OptimizerError) -> Placement {
        let old = layout.placement
        guard group == nil, let changes = patch["parameters"] else { return old }
        guard case .object(let entries) = changes else {
            throw Self.refusal(
                "", "`parameters` must be an object by name: {\"parameters\":{\"w\":{\"group\":\"heads\"}}}")
        }
        var places = old.places
        for entry in entries {
            guard let index = old.index(of: entry.key) else {
                let names = old.places.lazy.map(\.definition.name)
                throw Self.refusal(
                    "/\(entry.key.pointerEscaped)",
                    "The model has no parameter `\(entry.key)`; \(NearestNames.hint(entry.key, among: names))")
            }
            places[index] = try Self.moved(places[index], by: entry.value, layout)
        }
        // Parameters without a group are last.
        return Placement(places.filter { $0.group != nil } + places.filter { $0.group == nil })
    }

    private static func moved(
        _ place: Placement.Place, by change: SettingValue, _ layout: ArenaLayout
    ) throws(OptimizerError) -> Placement.Place {
        let (name, pointer) = (place.definition.name, "/\(place.definition.name.pointerEscaped)")
        guard case .object(let entries) = change, !entries.isEmpty else {
            throw refusal(pointer, "Write what changes for `\(name)`: {\"group\":\"heads\"} or {\"trainable\":false}.")
        }
        var moved = place
        for entry in entries {
            switch (entry.key, entry.value) {
            case ("group", .string(let group)):
                guard layout.groupIndex(of: Name(group)) != nil else {
                    throw refusal(
                        "\(pointer)/group",
                        "Unknown group `\(group)`; \(NearestNames.hint(Name(group), among: layout.groups.map(\.name)))"
                    )
                }
                moved.group = Name(group)
            case ("trainable", .boolean(let isTrainable)): moved.definition.isTrainable = isTrainable
            case ("group", _): throw refusal("\(pointer)/group", "`group` must be the name of a group.")
            case ("trainable", _): throw refusal("\(pointer)/trainable", "`trainable` must be true or false.")
            default:
                throw refusal(
                    "\(pointer)/\(entry.key.pointerEscaped)",
                    "A PATCH cannot change `\(entry.key)` of a parameter; \(NearestNames.hint(entry.key, among: ["group", "trainable"]))"
                )
            }
        }
        if moved.definition.isTrainable, moved.definition.wireType != nil {
            throw refusal("\(pointer)/trainable", "`\(name)` has an integer `dtype` and cannot be trained.")
        }
        if moved.definition.isTrainable, moved.group == nil {
            throw refusal("\(pointer)/group", "`\(name)` has no group; say the group that it is trained in.")
        }
        return moved
    }

    private static func refusal(_ place: String, _ detail: String) -> OptimizerError {
        .invalid(Complaint(pointer: "/parameters\(place)", exception: .valueError, detail: detail))
    }
}
