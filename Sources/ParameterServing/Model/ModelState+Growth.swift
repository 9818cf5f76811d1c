// Growth in the state machine: the next version has more parameters or rows, everything else stays to the bit. Bodies
// that were read for an earlier layout are moved to the current one, or refused with the shape that is wanted.

import Names
import Optimizers

extension ModelState {
    // MARK: The decision

    /// Refuses a growth that cannot be applied, or for which there is no room.
    func examine(_ growth: Growth, _ ifVersion: [Int]?) throws(ServingError) {
        let placement = try placement(after: growth, ifVersion)
        let slots = try wrapping { () throws(OptimizerError) in try optimizer.memoryNeeded(as: placement) }
        try checkStep(of: placement, slots: slots)
        // The model copies itself, with the gradients of the open round.
        let arenas = (1 + round.held.count) * placement.count * MemoryLayout<Float>.stride
        let plan = ModelSize.plan(placement.places.lazy.map(\.definition.name))
        _ = try pool.budget.reserve(slots + arenas + averages.bytes(as: placement) + 3 * plan)
        _ = try wrapping { () throws(OptimizerError) in try optimizer.placed(as: placement) }
    }

    private func placement(after growth: Growth, _ ifVersion: [Int]?) throws(ServingError) -> Placement {
        try check(ifVersion)
        try growth.check()
        return try wrapping { () throws(OptimizerError) in try growth.placement(after: facts) }
    }

    /// The optimizer for the layout of a state that is restored; its slots come from that state.
    ///
    /// - Throws: `stateMismatch` if the model's groups cannot hold the parameters; `noMemory`.
    func placed(likeState placement: Placement, isOwed: Bool) throws(ServingError) -> ModelOptimizer {
        do throws(OptimizerError) {
            return try optimizer.placed(as: placement, carrying: .nothing, isOwed: isOwed)
        } catch {
            guard case .invalid = error else { throw ServingError(error) }
            throw .stateMismatch(facts.name)
        }
    }

    /// Refuses a restore for whose copies there is no room.
    func checkRoom(for restoration: Restoration) throws(ServingError) {
        guard let placement = restoration.placement else { return }
        guard placement != pool.placement else {
            _ = try pool.budget.reserve(averages.bytesRestored)
            return
        }
        let slots = restoration.optimizer.slots.reduce(0) { $0 + $1.buffer.count * MemoryLayout<Float>.stride }
        _ = try pool.budget.reserve(slots + averages.bytes(as: placement))
    }

    // MARK: The change

    /// Carries out a logged growth.
    mutating func grow(by growth: Growth, ifVersion: [Int]?) throws(ServingError) {
        let placement = try placement(after: growth, ifVersion)
        let next = try wrapping { () throws(OptimizerError) in try optimizer.placed(as: placement, isOwed: true) }
        let old = self.pool.placement
        let pool = ArenaPool(placement, budget: self.pool.budget)
        let values = pool.takeOwed()
        values.take(arena)
        try wrapping { () throws(OptimizerError) in try growth.fill(values, after: old) }
        adopt(next, pool, values)
        advanceVersion()
        let changes = PatchedSettings(
            from: old.changed(to: placement), to: placement.changed(to: old), step: optimizer.step, version: version)
        announce(.grown(changes))
    }

    /// The optimizer after a patch that moves, freezes or trains parameters; nil if it leaves them as they are.
    ///
    /// - Parameter changed: the optimizer with the settings of the patch.
    func moved(
        by patch: SettingsPatch, _ changed: ModelOptimizer, isOwed: Bool = false
    ) throws(ServingError) -> ModelOptimizer? {
        try wrapping { () throws(OptimizerError) in
            let placement = try patch.placement(after: layout)
            return placement == pool.placement ? nil : try changed.placed(as: placement, isOwed: isOwed)
        }
    }

    /// Refuses a patch for whose second copy of the model there is no room.
    func checkRoom(for patch: SettingsPatch) throws(ServingError) {
        guard patch.placesParameters else { return }
        let slots = optimizer.plan.byteCount + (1 + round.held.count) * pool.bytes
        _ = try pool.budget.reserve(slots + averages.bytes(as: pool.placement))
    }

    /// Continues with the same values in another layout.
    mutating func adopt(_ next: ModelOptimizer, _ values: Arena) {
        let pool = ArenaPool(next.plan.layout.placement, budget: self.pool.budget)
        let moved = pool.takeOwed()
        moved.take(values)
        adopt(next, pool, moved)
    }

    /// What a patch has changed, in the settings and of parameters.
    func patched(from former: ModelFacts, _ old: Placement) -> PatchedSettings {
        let new = pool.placement
        func whole(_ settings: SettingValue, _ parameters: SettingValue) -> SettingValue {
            old == new ? settings : settings.setting("parameters", to: parameters["parameters"])
        }
        return PatchedSettings(
            from: whole(former.settings, old.changed(to: new)), to: whole(facts.settings, new.changed(to: old)),
            standing: (former, facts), step: optimizer.step, version: version)
    }

    // MARK: Bodies of an earlier layout

    /// The complaint about values that were read for an earlier layout.
    static let layoutChanged = Complaint(
        pointer: "/parameters", exception: .valueError,
        detail:
            "the parameters of the model changed while the values were being sent; pull again, then send them again")

    /// A command whose gradients are those of the current layout.
    ///
    /// A gradient that does not fit any more becomes a complaint, which is judged after the key.
    func fitted(_ command: Command) -> Command {
        switch command {
        case .push(let push): .push(fitted(push))
        case .keyed(let key, let ifVersion, let command): .keyed(key, ifVersion: ifVersion, fitted(command))
        case .admitted(let command, let time): .admitted(fitted(command), at: time)
        case .importValues, .closeRound, .reconfigure, .grow, .restore, .register, .endLeases, .dismiss, .note, .report:
            command
        }
    }

    /// A push whose gradients are those of the current layout.
    func fitted(_ push: Push) -> Push {
        guard !push.arena.isPlaced(as: pool) else { return push }
        var fitted = push
        for name in fitted.move(to: pool, shortRows: .misfit) { fitted.complaints.append(complaint(about: name)) }
        return fitted
    }

    private func complaint(about name: Name) -> Complaint {
        let pointer = "/gradients/\(name.pointerEscaped)"
        guard let index = layout.index(of: name) else {
            return Complaint(
                pointer: pointer, exception: .keyError,
                detail: "the model no longer has the parameter `\(name)`; pull again, and push what it has")
        }
        let parameter = layout.parameters[index]
        guard parameter.isTrainable else {
            return Complaint(
                pointer: pointer, exception: .valueError,
                detail: "`\(name)` is not trained any more; pull again, and push the others")
        }
        return Complaint(
            pointer: pointer, exception: .valueError,
            detail: facts.shapeText(of: parameter) + facts.shapeAdvice(for: name))
    }
}

extension Placement {
    /// The parameters that differ in another placement, for people who follow the model.
    fileprivate func changed(to other: Placement) -> SettingValue {
        let entries = places.filter { place in
            other.index(of: place.definition.name).map { other.places[$0] } != place
        }.map { place in
            var facts = [
                SettingValue.Entry(
                    key: "shape", value: .numbers(place.definition.shape.dimensions.map(Double.init))),
                SettingValue.Entry(key: "trainable", value: .boolean(place.definition.isTrainable)),
            ]
            if let group = place.group { facts.append(SettingValue.Entry(key: "group", value: .string(group.text))) }
            return SettingValue.Entry(key: place.definition.name, value: .object(facts))
        }
        return .object([SettingValue.Entry(key: "parameters", value: .object(entries))])
    }
}
