// A model's optimizer: its plan, its rules and its state. The server keeps one per model and calls `update`; dry runs
// and reconfigurations derive new ones from it.

import CKernels
import Names
import Threading

/// The optimizer of one model; one instance serves one thread at a time.
public final class ModelOptimizer {
    /// The definition with all rules applied.
    public let plan: OptimizerPlan
    /// The rules: the model's optimizer first, then those of groups.
    let rules: [Rule]
    /// The accumulated state of all updates.
    var state: OptimizerState
    /// Whether updates run stage by stage even if the rules support fused updates.
    var isStaged = false
    /// The last plan that was derived for an update; see `varied`.
    var lastDerived: Derivation?
    /// Shared with the optimizer that replaces this one, and with those of single updates.
    private let reserve: Reserve

    /// Memory reserved for copies of slots in future updates.
    private final class Reserve {
        var room: FloatBuffer?
    }

    /// The reserved memory; nil if there is none.
    var room: FloatBuffer? { reserve.room }

    /// Makes an optimizer in its initial state.
    ///
    /// - Parameter isOwed: whether a logged change needs the memory.
    convenience init(_ plan: OptimizerPlan, _ rules: [Rule], isOwed: Bool = false) throws(OptimizerError) {
        try self.init(plan, rules, slots: [], reserve: Reserve(), isOwed: isOwed)
    }

    /// As above, reusing available slots of another.
    private init(
        _ plan: OptimizerPlan, _ rules: [Rule], slots: [Slot], reserve: Reserve, isOwed: Bool
    ) throws(OptimizerError) {
        (self.plan, self.rules, self.reserve) = (plan, rules, reserve)
        state = OptimizerState(startOf: plan)
        state.scalars = plan.scalars.map { scalar in plan.layout.parameters.map { _ in scalar.first } }
        state.slots = try plan.slots.map { slot throws(OptimizerError) in
            guard let old = slots.first(where: { $0.name == slot.name }) else {
                return try slot.allocate(isOwed: isOwed)
            }
            return try slot.carried(from: old, isOwed: isOwed)
        }
    }

    /// Makes the optimizer of one update: the state and the memory are those of `base`.
    init(_ plan: OptimizerPlan, _ rules: [Rule], of base: ModelOptimizer) {
        (self.plan, self.rules, reserve) = (plan, rules, base.reserve)
        (state, isStaged) = (base.state, base.isStaged)
    }

    private var goesByStages: Bool { isStaged || rules.contains(where: \.isStaged) }

    /// The number of updates applied; the next update uses the rate of this step.
    public var step: Int { state.step }
    /// By parameter index: its number of updates, if the framework counts per parameter; otherwise empty.
    public var counts: [Int] { state.counts ?? [] }
    /// The optimizer's memory, in the order of the plan's slots.
    public var slots: [Slot] { plan.slots(of: state) }
    /// The factor that the next gradients must be multiplied by.
    public var lossScale: Double { plan.lossScale(in: state) }

    /// Applies an update: writes new values of `current` to `next`, and advances slots and step.
    ///
    /// Absent parameters are copied, unless `next` already contains their values.
    ///
    /// - Parameters:
    ///   - gradients: The gradients of this update, checked against the layout; used as scratch.
    ///   - current: The arena before the update; not changed.
    ///   - next: The arena after the update; must not overlap `current`.
    ///   - held: By parameter, whether `next` contains the values of `current`; empty if unknown.
    ///   - areModest: The value from the previous update's report, if only that update has written `current` and the
    ///     slots; nil checks them again. Saves a copy of the slots.
    ///   - keepsSlots: Whether a refused update leaves the slots unchanged, and one that makes a slot non-finite is
    ///     refused too. Without it, an update behaves as in the logs of the first releases.
    ///   - counting: Called with the bytes that the update needs in addition to its arguments, before it takes them,
    ///     and once more if it needs more; not called if it needs none.
    /// - Returns: The report. A skipped overflow changes only the loss scale; `next` is then untouched.
    /// - Throws: `.learningRateExhausted`, `.stepsUsedUp`, `.nonFiniteGradient`, `.lossScaleStuck`, `.invalid`,
    ///   `.diverged`: nothing changed, and `next` must not be published. Without `keepsSlots`, `.diverged` leaves slots
    ///   and counts changed: continue from a checkpoint, or call `resetSlots()`.
    public func update(
        _ gradients: inout Gradients, from current: UnsafePointer<Float>, to next: UnsafeMutablePointer<Float>,
        held: [Bool] = [], areModest: Bool? = nil, keepsSlots: Bool = true, counting: (Int) -> Void = { _ in }
    ) throws(OptimizerError) -> UpdateReport {
        let rates = try plan.learningRate(at: step)
        try check(gradients)
        guard gradients.isFinite else { return try skip(gradients, rates: rates) }
        let sortBytes = clipBytes(gradients) + gradients.orderBytes
        if plan.clip != nil, sortBytes > 0 { counting(sortBytes) }
        let norm = clip(&gradients)
        guard norm?.isFinite != false else { return try skip(gradients, rates: rates) }
        var pass = UpdatePass(plan, rules, state, gradients, from: current, to: next, rates: rates, held: held)
        let isBounded =
            !goesByStages && (areModest ?? pass.isModest(current)) && pass.staysFinite(with: gradients)
        let keeps = keepsSlots && !isBounded
        let bytes = sortBytes + (keeps ? keptBytes(gradients) : 0)
        if bytes > 0 { counting(bytes) }
        let kept = keeps ? KeptSlots(pass.slots, of: plan.layout, touchedBy: gradients, in: room) : nil
        do throws(OptimizerError) {
            if goesByStages { try pass.runStaged(gradients) } else { pass.runFused(gradients) }
            pass.state.note(gradients, plan, rules)
            if let refusal = divergence(after: pass, kept) { throw refusal }
        } catch {
            kept?.putBack()
            if keepsSlots { for rule in rules { rule.undo() } } else { state = pass.state }
            throw error
        }
        pass.state.step += 1
        try pass.state.advanceLossScale(plan, overflow: false)
        invariant(pass.state.step == step + 1 && pass.state.slots.count == plan.slots.count, "an update is one step")
        state = pass.state
        var report = pass.report(rates: rates)
        if plan.clip != nil { report.noteClipping(from: norm) }
        report.areModest = isBounded ? pass.sums.large == 0 : keepsSlots && pass.isModest(next)
        return report
    }

    /// Whether an update may need to copy its slots even if all numbers are modest.
    public var mayCopySlots: Bool { isStaged || rules.contains(where: \.mayCopySlots) }

    /// The largest number of bytes that an update with modest gradients needs in addition to its arguments.
    ///
    /// - Parameter areModest: As for `update`.
    public func updateBytes(_ gradients: Gradients, areModest: Bool?) -> Int {
        clipBytes(gradients) + gradients.orderBytes
            + (mayCopySlots || areModest == false ? keptBytes(gradients) : 0)
    }

    /// Reserves the memory that an update needs in addition to its arguments, as far as it is predictable.
    ///
    /// - Throws: `.noMemory`; memory reserved before stays reserved.
    public func makeRoom(for gradients: Gradients, areModest: Bool?) throws(OptimizerError) {
        guard mayCopySlots || areModest == false else { return }
        let count = keptBytes(gradients) / MemoryLayout<Float>.stride
        if count > room?.count ?? 0 { reserve.room = try FloatBuffer(count: count) }
    }

    /// Releases the reserved memory when no update needs it any more.
    public func leaveRoom() { reserve.room = nil }

    private func keptBytes(_ gradients: Gradients) -> Int {
        KeptSlots.bytes(slots, of: plan.layout, touchedBy: gradients)
    }

    /// Why an update must not be published; nil if it can be.
    private func divergence(after pass: UpdatePass, _ kept: KeptSlots?) -> OptimizerError? {
        let parameters = plan.layout.parameters
        if pass.sums.nonfinite != 0 {
            let stray = parameters.indices.first { !VectorMath.allFinite(pass.parameter($0).values) }
            return .diverged(parameter: stray.map { parameters[$0].name.text } ?? "")
        }
        guard let stray = kept?.firstNonFinite else { return nil }
        return .diverged(parameter: parameters[stray.parameter].name.text, slot: stray.slot)
    }

    /// The report of an update that is skipped because its gradients overflowed.
    ///
    /// - Throws: `.nonFiniteGradient` if such gradients are refused; those that were finite until they were unscaled or
    ///   reduced had been accepted, and are always skipped.
    private func skip(_ gradients: Gradients, rates: [Float?]) throws(OptimizerError) -> UpdateReport {
        guard plan.skipsNonFinite || gradients.isUnscaled else {
            throw .nonFiniteGradient(parameter: gradients.firstNonFinite(in: plan.layout)?.text ?? "")
        }
        try state.advanceLossScale(plan, overflow: true)
        return UpdateReport(
            applied: false, learningRates: rates, gradientNorm: .infinity, updateRatio: nil, overflow: true,
            nextLossScale: lossScale)
    }

    /// Refuses gradients that no update takes: of another layout, sparse where the rule does not support that, or beyond
    /// the last countable step.
    ///
    /// - Parameters:
    ///   - gradients: The gradients of this update.
    ///   - underWay: Updates that will be applied before this one.
    /// - Throws: `.invalid`, `.stepsUsedUp`.
    public func check(_ gradients: Gradients, underWay: Int = 0) throws(OptimizerError) {
        try plan.check(gradients)
        try state.checkSteps(underWay: underWay, for: gradients, in: plan.layout)
    }

    /// By parameter, whether an update with these gradients writes it; nil if it may write any.
    public func written(by gradients: Gradients) -> [Bool]? {
        goesByStages ? nil : gradients.isDense.indices.map(gradients.has)
    }

    /// The state.
    ///
    /// Its slots are this optimizer's memory.
    public func exportState() -> OptimizerState {
        var exported = state
        (exported.parameterScalars, exported.scalars) = (mergedScalars, [])
        return exported
    }

    /// Whether a state matches this layout, optimizer and loss scaling.
    public func accepts(_ other: OptimizerState) -> Bool {
        OptimizerState.steps.contains(other.step) && other.isStarted.count == state.isStarted.count
            && (other.counts?.count ?? counts.count) == counts.count
            && (other.counts ?? []).allSatisfy(OptimizerState.steps.contains)
            && other.slots.count == state.slots.count
            && zip(other.slots, state.slots).allSatisfy { $0.name == $1.name && $0.buffer.count == $1.buffer.count }
            && other.lossScaler.count == state.lossScaler.count
            && other.lossScaler.prefix(1).allSatisfy { $0 > 0 && $0.isFinite }
            && other.lossScaler.dropFirst().allSatisfy { $0 >= 0 && $0 < 0x1p53 }
            && other.parameterScalars.mapValues(\.count) == exportState().parameterScalars.mapValues(\.count)
    }

    /// Continues from a state and copies its slots.
    ///
    /// - Throws: `.invalid` if it belongs to another layout or optimizer; nothing changes then.
    public func importState(_ other: OptimizerState) throws(OptimizerError) {
        guard accepts(other) else {
            throw .invalid("", .valueError, "This state belongs to another optimizer or other parameters.")
        }
        for (source, slot) in zip(other.slots, state.slots) { slot.buffer.copy(from: source.buffer) }
        takeScalars(of: other)
    }

    /// Adopts a state except for its slots.
    func takeScalars(of other: OptimizerState) {
        state.takeScalars(of: other)
        resume(with: other.parameterScalars)
    }

    /// Adopts the rule's per-parameter numbers, from the state or derived.
    private func resume(with scalars: [String: [Double]]) {
        state.scalars = zip(plan.scalars, state.scalars).map { scalars[$0.name] ?? $1 }
        for rule in rules { rule.resume(from: state, scalars) }
    }

    /// Resets slots, counts, started flags and scalars to their initial values; step and loss scale are kept.
    public func resetSlots() {
        for slot in slots { slot.layout.reset(slot.buffer) }
        state.isStarted = state.isStarted.map { _ in false }
        state.counts = state.counts?.map { _ in 0 }
        resume(with: mergedScalars.mapValues { $0.map { _ in 0 } })
    }

    /// This optimizer with another definition: layout, slots, step and loss scale are kept.
    ///
    /// Slots are shared, not copied, so do not use the old instance after the new one has stepped. A changed
    /// `loss_scaling` starts again; slots that only the new definition has start at their initial values.
    ///
    /// - Parameter isOwed: whether the change is already logged, so that it waits for memory instead of being refused.
    /// - Throws: `.invalid` for mistakes in the definition, and if it would move parameters between groups or change
    ///   the optimizer; `.noMemory` for new slots.
    public func reconfigured(
        with definition: SettingValue, isOwed: Bool = false
    ) throws(OptimizerError) -> ModelOptimizer {
        let (plan, rules) = try draft(with: definition)
        let changed = try ModelOptimizer(plan, rules, slots: slots, reserve: reserve, isOwed: isOwed)
        changed.takeScalars(of: exportState())
        if plan.lossScaling != self.plan.lossScaling {
            changed.state.lossScaler = OptimizerState(startOf: plan).lossScaler
        }
        return changed
    }

    /// The bytes of this model's slots with another definition.
    ///
    /// - Throws: `.invalid` as for `reconfigured`.
    public func memoryNeeded(with definition: SettingValue) throws(OptimizerError) -> Int {
        try draft(with: definition).plan.byteCount
    }

    private func draft(with definition: SettingValue) throws(OptimizerError) -> (plan: OptimizerPlan, rules: [Rule]) {
        let changed = try plan.catalogue.draft(
            definition: definition, parameters: plan.layout.parameters.map(ParameterDefinition.init))
        guard changed.plan.row.isSame(as: plan.row) else {
            throw .invalid(
                "/optimizer", .valueError, "The optimizer of an existing model cannot be changed; create another model."
            )
        }
        guard changed.plan.layout.places(like: plan.layout) else {
            throw .invalid(
                "/groups", .valueError,
                "Groups and update order of an existing model cannot be changed; create another model.")
        }
        for (place, group) in plan.layout.groups.enumerated() {
            let (now, then) = (plan.rules[plan.ruleOfGroup[place]], changed.plan.rules[changed.plan.ruleOfGroup[place]])
            guard then.row.isSame(as: now.row) else {
                throw .invalid(
                    "\(group.pointer)/optimizer", .valueError,
                    "The optimizer of a group of a running model cannot change; create another model.",
                    expected: now.row.traits.name, got: then.row.traits.name)
            }
        }
        return changed
    }
}
