// An update with its own hyperparameters runs on a separate optimizer, which shares the model's state and memory.

import Names

extension ModelOptimizer {
    /// The optimizer of an update with its own hyperparameters; this one for an update without.
    ///
    /// It shares this optimizer's slots, so that its update advances them; `adopt` takes over the rest of its state.
    ///
    /// - Throws: `.invalid` for hyperparameters that this optimizer does not take.
    public func varied(by hyperparameters: Hyperparameters?) throws(OptimizerError) -> ModelOptimizer {
        guard let hyperparameters else { return self }
        let derived = try derivation(for: hyperparameters)
        let varied = ModelOptimizer(derived.plan, derived.rules, of: self)
        varied.resumeOwn(from: self)
        return varied
    }

    /// The plan and the rules for these hyperparameters.
    ///
    /// The last ones are used again, because each push is judged before it is applied and the next often brings the
    /// same. Custom rules are made again each time, because they may hold values of their own.
    private func derivation(for hyperparameters: Hyperparameters) throws(OptimizerError) -> Derivation {
        if let lastDerived, lastDerived.hyperparameters == hyperparameters { return lastDerived }
        let (plan, rules) = try plan.varied(by: hyperparameters, rules)
        let derived = Derivation(hyperparameters: hyperparameters, plan: plan, rules: rules)
        lastDerived = rules.contains { $0 is OwnRule } ? nil : derived
        return derived
    }

    /// What is derived from this optimizer's plan for an update that brings hyperparameters.
    struct Derivation {
        let hyperparameters: Hyperparameters
        let plan: OptimizerPlan
        let rules: [Rule]
    }

    /// Applies an update with its own hyperparameters: like `update` after a PATCH that lasts for this update only.
    ///
    /// - Throws: as `update`, and `.invalid` for hyperparameters that this optimizer does not take.
    public func update(
        _ gradients: inout Gradients, bringing hyperparameters: Hyperparameters?, from current: UnsafePointer<Float>,
        to next: UnsafeMutablePointer<Float>, held: [Bool] = [], areModest: Bool? = nil, keepsSlots: Bool = true,
        counting: (Int) -> Void = { _ in }
    ) throws(OptimizerError) -> UpdateReport {
        let performer = try varied(by: hyperparameters)
        defer { adopt(performer) }
        let isKnown = judgesModesty(like: performer)
        var report = try performer.update(
            &gradients, from: current, to: next, held: held, areModest: isKnown ? areModest : nil,
            keepsSlots: keepsSlots, counting: counting)
        if !isKnown { report.areModest = false }
        return report
    }

    /// Continues after an update of `performer`.
    private func adopt(_ performer: ModelOptimizer) {
        guard performer !== self else { return }
        state = performer.state
        resumeOwn(from: performer)
    }

    /// Takes over the numbers that rules keep outside of the state, from rules that are not the same objects.
    private func resumeOwn(from other: ModelOptimizer) {
        let remade = zip(rules, other.rules).filter { $0 !== $1 }.map(\.0)
        if remade.isEmpty { return }
        let scalars = other.mergedScalars
        for rule in remade { rule.resume(from: state, scalars) }
    }

    /// Whether numbers that are modest for one of the optimizers are modest for the other.
    private func judgesModesty(like other: ModelOptimizer) -> Bool {
        zip(rules, other.rules).allSatisfy { $0 === $1 || $0.modestRoots == $1.modestRoots }
            && zip(plan.rules, other.plan.rules).allSatisfy { $0.slots == $1.slots }
    }
}
