// A dry run: the staged update on copies, keeping the result of every stage. The model does not change.

/// The result of an update that is not applied, stage by stage.
public struct DryRun: Sendable {
    /// A stage of the pipeline, named as in MindSpore, with the gradients after it.
    public struct Stage: Sendable {
        /// "flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad"; "clip_by_global_norm" or
        /// "clip_by_value" where the definition clips.
        ///
        /// The first may be a stage before the update; see `dryRun`.
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

    /// The gradients after each stage; empty unless requested.
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
    ///   - before: the name of a stage that the gradients have passed; nil if they are as they were pushed.
    /// - Throws: the errors of `update`.
    public func dryRun(
        _ gradients: Gradients, bringing hyperparameters: Hyperparameters? = nil,
        from current: UnsafePointer<Float>, showingStages: Bool = true, after before: String? = nil
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
            ? try subject.stages(of: gradients.copy(layout: plan.layout), from: current, after: before) : []
        return DryRun(stages: stages, updates: updates, report: report)
    }

    /// The bytes that `dryRun` needs: copies of slots, gradients and parameters, the memory of its update, and the
    /// values that it returns.
    public func dryRunBytes(
        _ gradients: Gradients, showingStages: Bool = true, after before: String? = nil
    ) -> Int {
        let stride = MemoryLayout<Float>.stride
        let rows = gradients.sparse.values.reduce(0) { $0 + $1.values.count }
        let copies =
            state.slots.reduce(0) { $0 + $1.buffer.count } + (showingStages ? 3 : 2) * plan.layout.count
            + (showingStages ? 2 : 1) * rows
        return (copies + valuesTold(by: gradients, showingStages: showingStages, after: before)) * stride
            + updateBytes(gradients, areModest: false)
    }

    /// The number of values that a dry run returns: the update, and the gradients after each stage: four, one more if
    /// the definition clips, and one more if they have passed a stage `before`.
    public func valuesTold(by gradients: Gradients, showingStages: Bool, after before: String? = nil) -> Int {
        let dense = plan.layout.parameters.indices.reduce(0) {
            $0 + (gradients.isDense[$1] ? plan.layout.parameters[$1].range.count : 0)
        }
        let sparse = gradients.sparse.reduce(0) { $0 + $1.value.values.count }
        let updated = gradients.sparse.reduce(dense) { $0 + plan.layout.parameters[$1.key].range.count }
        let stages = (plan.clip == nil ? 4 : 5) + (before == nil ? 0 : 1)
        return updated + (showingStages ? stages * (dense + sparse) : 0)
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
        of gradients: Gradients, from current: UnsafePointer<Float>, after before: String?
    ) -> [DryRun.Stage] {
        var (gradients, stages) = (gradients, [DryRun.Stage]())
        func pass() -> UpdatePass {
            UpdatePass(plan, rules, state, gradients, from: current, to: gradients.dense.base, rates: [])
        }
        func note(_ name: String, _ stage: (UpdatePass) -> ([Tensor]) -> [Tensor]) {
            let pass = pass()
            let values = stage(pass)(pass.tensors(of: gradients)).map {
                DryRun.Values(index: $0.index, values: Array($0.values), rows: $0.rows)
            }
            stages.append(DryRun.Stage(name: name, gradients: values))
        }
        if let before { note(before, UpdatePass.flattenGradients) }
        if plan.unscalesFirst {
            note("flatten_gradients", UpdatePass.flattenGradients)
            unscale(&gradients)
            note("scale_grad", UpdatePass.flattenGradients)
            _ = clip(&gradients)
            if let clip = plan.clip { note(clip.stage, UpdatePass.flattenGradients) }
        }
        pass().unscaleFirst(pass().tensors(of: gradients))
        if !plan.unscalesFirst { note("flatten_gradients", UpdatePass.flattenGradients) }
        note("decay_weight", UpdatePass.decayWeight)
        note("gradients_centralization", UpdatePass.gradientsCentralization)
        if !plan.unscalesFirst { note("scale_grad", UpdatePass.scaleGrad) }
        return stages
    }
}
