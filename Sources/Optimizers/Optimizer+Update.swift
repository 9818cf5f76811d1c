// One update from outside: refuse or skip before anything moves, run the rule, count, advance.

import CKernels

extension Optimizer {
    /// New values of `current` into `next`; slots and step advance.
    ///
    /// Absent parameters are copied, unless `next` holds their values already.
    ///
    /// - Parameters:
    ///   - gradients: The gradients of this update, checked against the layout; used as scratch.
    ///   - current: The arena before the update, not changed.
    ///   - next: The arena after it; must not overlap `current`.
    ///   - held: By parameter, whether `next` holds the values of `current`; empty where nothing is known.
    ///   - areModest: What the report of the update before said, if nothing but it has written `current` and the slots;
    ///     nil has them looked at. Saves a copy of the slots.
    ///   - keepsSlots: Whether an update that is refused leaves the slots as they were, and one that makes a slot
    ///     non-finite is refused too. Without it, an update is what it was in logs of the first releases.
    ///   - counting: Told how many bytes the update takes beside its arguments before it takes them; not for none.
    /// - Returns: What happened. A skipped overflow changes nothing but the loss scale; `next` is then untouched.
    /// - Throws: `.learningRateExhausted`, `.stepsUsedUp`, `.nonFiniteGradient`, `.lossScaleStuck`, `.invalid`,
    ///   `.diverged`: nothing moved, and `next` must not be published. Without `keepsSlots`, `.diverged` leaves slots and
    ///   counts moved: continue from a checkpoint, or `resetSlots()`.
    public final func update(
        _ gradients: inout Gradients, from current: UnsafePointer<Float>, to next: UnsafeMutablePointer<Float>,
        held: [Bool] = [], areModest: Bool? = nil, keepsSlots: Bool = true, counting: (Int) -> Void = { _ in }
    ) throws(OptimizerError) -> UpdateReport {
        let rates = try learningRate(at: step)
        try check(gradients)
        try checkSteps(for: gradients)
        if !gradients.isFinite, let skipped = try overflowed(gradients, rates: rates) { return skipped }
        pass = makePass(gradients, from: current, to: next, rates: rates)
        pass?.held = held
        defer { pass = nil }
        let isBounded = (areModest ?? isModest(UnsafeMutablePointer(mutating: current))) && staysFinite(with: gradients)
        let keeps = keepsSlots && !isBounded
        let bytes = gradients.orderBytes + (keeps ? KeptSlots.bytes(of: self, touchedBy: gradients) : 0)
        if bytes > 0 { counting(bytes) }
        let kept = keeps ? KeptSlots(of: self, touchedBy: gradients) : nil
        do throws(OptimizerError) {
            try runUpdate(&gradients)
        } catch {
            kept?.putBack(into: self)
            throw error
        }
        if !keepsSlots { note(gradients) }
        let sums = pass?.sums ?? pk_sums()
        if let refusal = divergence(in: next, sums, kept) {
            kept?.putBack(into: self)
            throw refusal
        }
        if keepsSlots { note(gradients) }
        step += 1
        try lossScaler?.advance(overflow: false)
        var report = report(rates: rates, sums: sums)
        report.areModest = isBounded ? sums.large == 0 : keepsSlots && isModest(next)
        return report
    }

    /// Why an update must not be published; nil for a sound one.
    private func divergence(
        in next: UnsafeMutablePointer<Float>, _ sums: pk_sums, _ kept: KeptSlots?
    ) -> OptimizerError? {
        if sums.nonfinite != 0 { return .diverged(parameter: firstNonFinite(in: next)) }
        guard let stray = kept?.firstNonFinite(in: self) else { return nil }
        return .diverged(parameter: stray.parameter, slot: stray.slot)
    }

    func makePass(
        _ gradients: Gradients, from current: UnsafePointer<Float>, to next: UnsafeMutablePointer<Float>,
        rates: [Float?]
    ) -> UpdatePass {
        let scale = decayFactor
        let unscale = lossScale / scale
        return UpdatePass(
            current: current, next: next, gradients: gradients.dense.base,
            rates: rates.map { $0 ?? .nan }, decays: weightDecay(at: step),
            unscale: unscale == 1 ? nil : Float(1 / unscale), scaleAfter: scale == 1 ? nil : Float(1 / scale),
            lossScale: Float(scale))
    }

    /// The report of a skipped update; nil where non-finite gradients are applied as they are.
    private func overflowed(_ gradients: Gradients, rates: [Float?]) throws(OptimizerError) -> UpdateReport? {
        let skips = lossScaler?.dropsOverflow ?? false || plan.onNonFinite == .skip
        guard skips else {
            throw .nonFiniteGradient(parameter: gradients.firstNonFinite(in: layout)?.text ?? "")
        }
        try lossScaler?.advance(overflow: true)
        return UpdateReport(
            applied: false, learningRates: rates, gradientNorm: .infinity, updateRatio: nil, overflow: true,
            nextLossScale: lossScale)
    }

    private func check(_ gradients: Gradients) throws(OptimizerError) {
        guard gradients.dense.count >= layout.count, gradients.isDense.count == layout.parameters.count,
            gradients.sparse.keys.allSatisfy(layout.parameters.indices.contains)
        else {
            throw .invalid("/gradients", .runtimeError, "These gradients were made for another model.")
        }
        for (index, rows) in gradients.sparse {
            let parameter = layout.parameters[index]
            let pointer = "/gradients/\(parameter.name.pointerEscaped)"
            guard takesSparseGradients, parameter.shape.rank >= 1 else {
                throw .invalid(
                    pointer, .typeError, "\(Self.traits.name) takes no sparse gradients here; send all of it.",
                    expected: "a dense gradient", got: "indices and values")
            }
            let (needed, overflow) = rows.indices.count.multipliedReportingOverflow(by: parameter.shape.rowCount)
            guard !overflow, rows.values.count >= needed else {
                throw .invalid(
                    "\(pointer)/values", .valueError,
                    "`values` needs \(parameter.shape.rowCount) numbers for each index.",
                    expected: "\(needed) numbers", got: "\(rows.values.count)")
            }
            let limit = parameter.shape.dimensions[0]
            guard let stranger = rows.indices.first(where: { $0 < 0 || $0 >= limit }) else { continue }
            throw .invalid(
                "\(pointer)/indices", .valueError, "Row \(stranger) is outside of the \(limit) rows of the parameter.",
                expected: "0 to \(limit - 1)", got: "\(stranger)")
        }
    }

    /// Counts the parameters that had a gradient.
    private func note(_ gradients: Gradients) {
        for (index, parameter) in layout.parameters.enumerated() where parameter.isTrainable {
            guard gradients.isDense[index] || gradients.sparse[index] != nil else { continue }
            if !counts.isEmpty { counts[index] += 1 }
            if !isStarted[index], starts(index) { isStarted[index] = true }
        }
    }

    private func firstNonFinite(in next: UnsafeMutablePointer<Float>) -> String {
        let stray = layout.parameters.first {
            !VectorMath.allFinite(UnsafeMutableBufferPointer(start: next + $0.range.lowerBound, count: $0.range.count))
        }
        return stray?.name.text ?? ""
    }

    private func report(rates: [Float?], sums: pk_sums) -> UpdateReport {
        let weight = sums.weight_squares.squareRoot()
        let ratio = sums.change_squares.squareRoot() / weight
        let scale = pass.map { Double($0.unscale ?? 1) * Double($0.scaleAfter ?? 1) } ?? 1
        return UpdateReport(
            applied: true, learningRates: rates, gradientNorm: sums.gradient_squares.squareRoot() * scale,
            updateRatio: weight > 0 && ratio.isFinite ? ratio : nil, overflow: false, nextLossScale: lossScale)
    }
}
