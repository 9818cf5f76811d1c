// An optimizer for other parameters, or for parameters in other groups: everything that a parameter keeps is carried
// over by name.

import Names

extension ModelOptimizer {
    /// Whether slots, counts and numbers of parameters are carried over.
    public enum Carrying: Sendable {
        /// As far as the parameter keeps its optimizer.
        case state
        /// Nothing: the caller imports a state next.
        case nothing
    }

    /// This optimizer for another placement of parameters; step, loss scale and hyperparameters are kept.
    ///
    /// A parameter that keeps its optimizer keeps its slots, its count and its numbers to the bit; in a slot whose rows
    /// are those of the parameter, new rows start as in a new optimizer. A parameter that is new, or that moves to a
    /// group with another optimizer, starts as in a new optimizer.
    ///
    /// - Parameter isOwed: whether the change is already logged, so that it waits for memory instead of being refused.
    /// - Throws: `.invalid` if the parameters cannot be placed like this, or if a slot has no rows to add to;
    ///   `.noMemory`.
    public func placed(
        as placement: Placement, carrying: Carrying = .state, isOwed: Bool = false
    ) throws(OptimizerError) -> ModelOptimizer {
        let (plan, rules) = try draft(as: placement)
        let next = try ModelOptimizer(plan, rules, isOwed: isOwed)
        var state = next.exportState()
        state.step = step
        if plan.lossScaling != nil { state.lossScaler = exportState().lossScaler }
        if case .state = carrying {
            let before = exportState()
            for (index, place) in placement.places.enumerated() {
                guard let source = source(of: place.definition.name, for: index, in: next) else { continue }
                state.take(source, of: before, as: index)
                try carrySlots(from: source, to: index, in: next)
            }
        }
        next.takeScalars(of: state)
        return next
    }

    /// The bytes of the slots of another placement.
    ///
    /// - Throws: `.invalid` as for `placed`.
    public func memoryNeeded(as placement: Placement) throws(OptimizerError) -> Int {
        try draft(as: placement).plan.byteCount
    }

    private func draft(as placement: Placement) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        try Regrouping(
            definition: plan.definition, old: plan.layout.placement, new: placement, catalogue: plan.catalogue
        ).draft()
    }

    /// The index of a parameter here if the optimizer that updates it is the same in `next`; nil otherwise.
    private func source(of name: Name, for index: Int, in next: ModelOptimizer) -> Int? {
        plan.layout.index(of: name).flatMap { plan.updates($0, like: next.plan, index) ? $0 : nil }
    }

    private func carrySlots(from old: Int, to new: Int, in next: ModelOptimizer) throws(OptimizerError) {
        for target in next.slots {
            guard let source = slots.first(where: { $0.name == target.name }), let was = source.shapes[old],
                let shape = target.shapes[new]
            else { continue }
            guard shape.hasRows(of: was) else {
                let parameter = plan.layout.parameters[old].name
                throw .invalid(
                    "/rows/\(parameter.pointerEscaped)", .valueError,
                    "`\(parameter)` cannot get more rows: its slot `\(target.name)` of \(plan.rules[plan.rule(of: old)].row.traits.name) has shape \(was.dimensions) and would need \(shape.dimensions); create another model."
                )
            }
            let count = min(was.elementCount, shape.elementCount)
            _ = target[new].prefix(count).update(fromContentsOf: source[old].prefix(count))
        }
    }
}

extension OptimizerPlan {
    /// Whether the optimizer of a parameter is that of a parameter in another plan.
    fileprivate func updates(_ parameter: Int, like other: OptimizerPlan, _ counterpart: Int) -> Bool {
        rules[rule(of: parameter)].row.isSame(as: other.rules[other.rule(of: counterpart)].row)
    }

    /// Whether another plan updates a parameter with the same optimizer; then its slots are carried over.
    public func keepsOptimizer(of name: Name, in other: OptimizerPlan) -> Bool {
        guard let index = layout.index(of: name), let counterpart = other.layout.index(of: name) else { return false }
        return updates(index, like: other, counterpart)
    }
}

extension OptimizerState {
    /// Takes over the numbers of a parameter of another state.
    fileprivate mutating func take(_ source: Int, of other: OptimizerState, as index: Int) {
        isStarted[index] = other.isStarted[source]
        if let count = other.counts, count.indices.contains(source), counts?.indices.contains(index) == true {
            counts?[index] = count[source]
        }
        for (name, values) in other.parameterScalars where values.indices.contains(source) {
            guard parameterScalars[name]?.indices.contains(index) == true else { continue }
            parameterScalars[name]?[index] = values[source]
        }
    }
}
