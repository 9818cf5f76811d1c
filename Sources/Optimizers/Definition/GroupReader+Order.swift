// Parameters without a group, and the update order: the second half of reading `groups`.

extension GroupReader {
    /// Checks that every trained parameter is in a group, or adds a last group `default` if the definition asks for it.
    func cover(_ membership: inout GroupMembership, addsDefault: Bool) throws(OptimizerError) {
        let grouped = Set(membership.groups.flatMap(\.members))
        let rest = parameters.indices.filter { !grouped.contains($0) }
        let trained = rest.filter { parameters[$0].isTrainable }
        if trained.isEmpty { return }
        guard addsDefault else {
            let list = trained.prefix(20).map { "`\(parameters[$0].name)`" }.joined(separator: ", ")
            throw .invalid(
                "/groups", .valueError,
                "No group names \(list)\(trained.count > 20 ? ", ..." : ""); add them, or set `default_group` to true.",
                expected: "every parameter in a group", got: "\(trained.count) without one")
        }
        guard !membership.groups.contains(where: { $0.name == "default" }) else {
            throw .invalid("/default_group", .valueError, "A group is already named `default`; rename it.")
        }
        membership.groups.append(
            GroupMembership.Group(name: "default", pointer: "", setting: .object([]), members: rest))
    }

    /// The update order: the groups one after another, unless `order_params` says otherwise.
    func order(
        _ membership: inout GroupMembership, _ order: (place: Int, value: SettingValue)?
    ) throws(OptimizerError) {
        membership.order = membership.groups.flatMap(\.members)
        guard let order else { return }
        let pointer = "/groups/\(order.place)"
        let names = try names(order.value, pointer: pointer, key: "order_params")
        if names.isEmpty { return }
        let grouped = Set(membership.order)
        var seen = Set<Int>()
        var places: [Int] = []
        for (place, name) in names.enumerated() {
            guard let parameter = placeByName[name], grouped.contains(parameter) else {
                throw unknown(name, pointer: "\(pointer)/order_params/\(place)")
            }
            guard seen.insert(parameter).inserted else {
                throw .invalid(
                    "\(pointer)/order_params/\(place)", .valueError,
                    "`\(name)` is listed twice in `order_params`; list it once.",
                    expected: "each name once", got: name.text)
            }
            places.append(parameter)
        }
        guard places.count == grouped.count else {
            let missing = membership.order.filter { !seen.contains($0) }.prefix(20).map { "`\(parameters[$0].name)`" }
            throw .invalid(
                "\(pointer)/order_params", .valueError,
                "`order_params` must name every grouped parameter; add \(missing.joined(separator: ", ")).",
                expected: "\(grouped.count) names", got: "\(places.count)")
        }
        membership.order = places
    }
}
