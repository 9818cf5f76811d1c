// Live changes: a new definition over the same memory. The server applies merge patches with `MergePatch` first.

extension Optimizer {
    /// This optimizer under another definition: same layout, slots, step and loss scale carried over.
    ///
    /// Slots are shared, not copied, so the old instance must not be used again once the new one has stepped. A changed
    /// `loss_scaling` starts over; slots that only the new definition has start at their initial values.
    /// - Throws: `.invalid` for whatever is wrong with the definition, and where it would move parameters between groups
    ///   or name another optimizer.
    public func reconfigured(with definition: Setting) throws(OptimizerError) -> Optimizer {
        let changed = try planned(with: definition)
        changed.adoptScalars(exportState())
        if changed.plan.lossScaling != plan.lossScaling {
            changed.lossScaler = changed.plan.lossScaling.map(LossScaler.init)
        }
        changed.slots = changed.slotDefinitions.map { definition in
            slots.first { $0.name == definition.name } ?? Slot(definition, layout: layout)
        }
        return changed
    }

    /// The bytes that the slots of this model take under another definition.
    ///
    /// - Throws: `.invalid` as `reconfigured`.
    public func memoryNeeded(with definition: Setting) throws(OptimizerError) -> Int {
        try planned(with: definition).memoryNeeded()
    }

    private func planned(with definition: Setting) throws(OptimizerError) -> Optimizer {
        let changed = try plan.catalogue.makeUnallocated(
            definition: definition, parameters: layout.parameters.map(ParameterDefinition.init))
        guard type(of: changed) == type(of: self) else {
            throw .invalid("/optimizer", .valueError, "The optimizer of a running model cannot change; create another.")
        }
        guard changed.layout.places(like: layout) else {
            throw .invalid(
                "/groups", .valueError, "Groups and update order of a running model cannot change; create another.")
        }
        return changed
    }
}

extension ParameterDefinition {
    init(_ layout: ParameterLayout) {
        self.init(
            name: layout.name, shape: layout.shape, isTrainable: layout.isTrainable, wireType: layout.wireType)
    }
}
