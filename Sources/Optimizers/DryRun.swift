// A dry run: the staged update on copies, keeping the result of every stage. The model does not change.

/// The result of an update that is not applied, stage by stage.
public struct DryRun: Sendable {
    /// A stage of the pipeline, named as in MindSpore, with the gradients after it.
    public struct Stage: Sendable {
        /// "flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"; "clip_by_global_norm" or
        /// "clip_by_value" where the definition clips; "scale_by_staleness" or "reduce" before the update.
        public let name: String
        /// The gradients after the stage, in update order.
        public let gradients: [Values]
    }

    /// The values of one parameter or gradient.
    public struct Values: Sendable {
        /// The parameter's index in the plan's layout.
        public let index: Int
        /// The values, row-major; for sparse gradients those of `rows`.
        public let values: [Float]
        /// The rows of a sparse gradient, in the order pushed.
        public let rows: [Int]?

        /// Makes values from their parts.
        public init(index: Int, values: [Float], rows: [Int]?) {
            self.index = index
            self.values = values
            self.rows = rows
        }
    }

    /// Where the gradients of an update come from.
    public enum Origin {
        /// A push, as it was sent.
        case push
        /// A push that was divided because it is stale.
        case stalePush
        /// The reduction of a round; with the gradients of the push that closes it, as they were sent.
        case round(Gradients)
    }

    /// The gradients after each stage, in the order in which they are computed; empty unless requested.
    ///
    /// A round has first the stages of the push that closes it, which each of its pushes passes, then "reduce".
    public let stages: [Stage]
    /// The changes of the parameters: w' - w.
    public let updates: [Values]
    /// The report of the update.
    public var report: UpdateReport
}

extension ModelOptimizer {
    /// Computes an update without applying it.
    ///
    /// Neither the gradients nor this optimizer change.
    ///
    /// It works on copies; `dryRunBytes` is their size.
    ///
    /// - Parameters:
    ///   - gradients: the gradients of the update.
    ///   - hyperparameters: those of this update alone; nil if there are none.
    ///   - current: the parameters.
    ///   - showingStages: whether to keep the gradients after each stage.
    ///   - origin: where the gradients come from.
    /// - Throws: the errors of `update`.
    public func dryRun(
        _ gradients: Gradients, bringing hyperparameters: Hyperparameters? = nil,
        from current: UnsafePointer<Float>, showingStages: Bool = true, of origin: DryRun.Origin = .push
    ) throws(OptimizerError) -> DryRun {
        let subject = try varied(by: hyperparameters)
        let trial = try reconfigured(with: plan.definition).varied(by: hyperparameters)
        trial.state.slots = try state.slots.map { slot throws(OptimizerError) in try slot.copy() }
        let next = try FloatBuffer(count: plan.layout.count)
        var scratch = try gradients.copy(layout: plan.layout)
        let report = try trial.update(&scratch, from: current, to: next.base)
        let updates = report.applied ? subject.changes(gradients, from: current, to: next) : []
        let stages =
            showingStages
            ? try subject.stages(of: gradients.copy(layout: plan.layout), from: current, of: origin) : []
        return DryRun(stages: stages, updates: updates, report: report)
    }

    /// The bytes that `dryRun` needs: copies of slots, gradients and parameters, the memory of its update, and the
    /// values that it returns.
    public func dryRunBytes(
        _ gradients: Gradients, showingStages: Bool = true, of origin: DryRun.Origin = .push
    ) -> Int {
        let stride = MemoryLayout<Float>.stride
        let rows = gradients.sparse.values.reduce(0) { $0 + $1.values.count }
        let copies =
            state.slots.reduce(0) { $0 + $1.buffer.count } + (showingStages ? 3 : 2) * plan.layout.count
            + (showingStages ? 2 : 1) * rows
        let told = valuesTold(by: gradients, showingStages: showingStages, of: origin)
        return (copies + told) * stride + updateBytes(gradients, areModest: false)
            + (showingStages ? contributionBytes(of: origin) : 0)
    }

    /// The number of values that a dry run returns: the update, and the gradients after each stage.
    public func valuesTold(by gradients: Gradients, showingStages: Bool, of origin: DryRun.Origin = .push) -> Int {
        let updated = gradients.sparse.keys.reduce(denseCount(gradients)) {
            $0 + plan.layout.parameters[$1].range.count
        }
        guard showingStages else { return updated }
        let (own, clips) = (valueCount(gradients), plan.clip == nil ? 0 : 1)
        switch origin {
        case .push: return updated + (4 + clips) * own
        case .stalePush: return updated + (5 + clips) * own
        case .round(let push):
            let clipsEach = plan.clip?.scope == .worker ? 1 : 0
            return updated + (3 + clips - clipsEach) * own + (2 + clipsEach) * valueCount(push)
        }
    }

    private func denseCount(_ gradients: Gradients) -> Int {
        plan.layout.parameters.indices.reduce(0) {
            $0 + (gradients.isDense[$1] ? plan.layout.parameters[$1].range.count : 0)
        }
    }

    private func valueCount(_ gradients: Gradients) -> Int {
        gradients.sparse.values.reduce(denseCount(gradients)) { $0 + $1.values.count }
    }

    private func changes(_ gradients: Gradients, from current: UnsafePointer<Float>, to next: FloatBuffer)
        -> [DryRun.Values]
    {
        let pass = UpdatePass(plan, rules, state, gradients, from: current, to: next.base, rates: [])
        return pass.tensors(of: gradients).map { tensor in
            let values = plan.layout.parameters[tensor.index].range.map { next.base[$0] - current[$0] }
            return DryRun.Values(index: tensor.index, values: values, rows: nil)
        }
    }

    /// Runs the stages one by one on a copy of the gradients, which they change in place, in the order of an update.
    private func stages(
        of gradients: Gradients, from current: UnsafePointer<Float>, of origin: DryRun.Origin
    ) throws(OptimizerError) -> [DryRun.Stage] {
        var (gradients, stages) = (gradients, [DryRun.Stage]())
        func pass() -> UpdatePass { self.pass(of: gradients, from: current) }
        func note(_ name: String, _ stage: (UpdatePass) -> ([Tensor]) -> [Tensor]) {
            let pass = pass()
            stages.append(DryRun.Stage(name: name, stage(pass)(pass.tensors(of: gradients))))
        }
        switch origin {
        case .push: break
        case .stalePush: note("scale_by_staleness", UpdatePass.flattenGradients)
        case .round(let push):
            stages = try contributionStages(of: push, from: current)
            note("reduce", UpdatePass.flattenGradients)
        }
        if plan.unscalesFirst {
            if !gradients.isUnscaled {
                note("flatten_gradients", UpdatePass.flattenGradients)
                unscale(&gradients)
                note("scale_grad", UpdatePass.flattenGradients)
            }
            if let clip = plan.clip, !gradients.isClipped {
                _ = self.clip(&gradients)
                note(clip.stage, UpdatePass.flattenGradients)
            }
        }
        pass().unscaleFirst(pass().tensors(of: gradients))
        if !plan.unscalesFirst { note("flatten_gradients", UpdatePass.flattenGradients) }
        note("decay_weight", UpdatePass.decayWeight)
        note("gradients_centralization", UpdatePass.gradientsCentralization)
        if !plan.unscalesFirst { note("scale_grad", UpdatePass.scaleGrad) }
        return stages
    }

    func pass(of gradients: Gradients, from current: UnsafePointer<Float>) -> UpdatePass {
        UpdatePass(plan, rules, state, gradients, from: current, to: gradients.dense.base, rates: [])
    }
}

extension DryRun.Stage {
    init(name: String, _ tensors: [Tensor]) {
        self.init(
            name: name,
            gradients: tensors.map { DryRun.Values(index: $0.index, values: Array($0.values), rows: $0.rows) })
    }
}
