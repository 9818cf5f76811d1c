// A dry run: the staged way on copies, with every stage kept. Nothing of the model changes.

/// What an update would do, stage by stage.
public struct DryRun: Sendable {
    /// A stage of the pipeline by the seed's name, with the gradients after it.
    public struct Stage: Sendable {
        /// "flatten_gradients", "decay_weight", "gradients_centralization", "scale_grad".
        public let name: String
        /// The gradients after the stage, in update order.
        public let gradients: [Values]
    }

    /// The values of one parameter or gradient.
    public struct Values: Sendable {
        /// The parameter's place in the layout.
        public let index: Int
        /// The values, row-major; for sparse gradients the rows of `rows`.
        public let values: [Float]
        /// The rows of a sparse gradient, in the order pushed.
        public let rows: [Int]?

        /// Makes values of their parts.
        public init(index: Int, values: [Float], rows: [Int]?) {
            self.index = index
            self.values = values
            self.rows = rows
        }
    }

    /// The gradients after each stage; empty unless asked for.
    public let stages: [Stage]
    /// The parameters that would change: w' - w.
    public let updates: [Values]
    /// The report that the update would give.
    public let report: UpdateReport
}

extension Optimizer {
    /// What an update with these gradients would do.
    ///
    /// The gradients are not changed, nor is anything of this optimizer.
    ///
    /// It works on a copy, for which `dryRunBytes` tells the memory.
    /// - Throws: whatever `update` would throw.
    public func dryRun(
        _ gradients: Gradients, from current: UnsafePointer<Float>, showingStages: Bool = true
    ) throws(OptimizerError) -> DryRun {
        let trial = try reconfigured(with: definition)
        trial.slots = slots.map { Slot(copying: $0) }
        let next = FloatBuffer(count: layout.count)
        var scratch = gradients.copy(layout: layout)
        let report = try trial.update(&scratch, from: current, to: next.base)
        let updates = report.applied ? changes(gradients, from: current, to: next) : []
        let stages = showingStages ? stages(of: gradients.copy(layout: layout), from: current) : []
        return DryRun(stages: stages, updates: updates, report: report)
    }

    /// The bytes that `dryRun` takes: copies of slots, gradients and parameters, what its update takes, and the values that
    /// it tells.
    public func dryRunBytes(_ gradients: Gradients, showingStages: Bool = true) -> Int {
        let stride = MemoryLayout<Float>.stride
        let rows = gradients.sparse.values.reduce(0) { $0 + $1.values.count }
        let copies =
            slots.reduce(0) { $0 + $1.buffer.count } + (showingStages ? 3 : 2) * layout.count
            + (showingStages ? 2 : 1) * rows
        return (copies + valuesTold(by: gradients, showingStages: showingStages)) * stride
            + updateBytes(gradients, areModest: false)
    }

    /// How many values a dry run tells: the update, and the gradients after each of four stages.
    public func valuesTold(by gradients: Gradients, showingStages: Bool) -> Int {
        let dense = layout.parameters.indices.reduce(0) {
            $0 + (gradients.isDense[$1] ? layout.parameters[$1].range.count : 0)
        }
        let sparse = gradients.sparse.reduce(0) { $0 + $1.value.values.count }
        let updated = gradients.sparse.reduce(dense) { $0 + layout.parameters[$1.key].range.count }
        return updated + (showingStages ? 4 * (dense + sparse) : 0)
    }

    private func changes(_ gradients: Gradients, from current: UnsafePointer<Float>, to next: FloatBuffer)
        -> [DryRun.Values]
    {
        tensors(of: gradients).map { tensor in
            let values = layout.parameters[tensor.index].range.map { next.base[$0] - current[$0] }
            return DryRun.Values(index: tensor.index, values: values, rows: nil)
        }
    }

    /// Runs the stages one by one on a copy of the gradients, which they change in place.
    private func stages(of gradients: Gradients, from current: UnsafePointer<Float>) -> [DryRun.Stage] {
        let rates = [Float](repeating: 0, count: plan.groups.count)
        let outer = pass
        pass = makePass(gradients, from: current, to: gradients.dense.base, rates: rates)
        defer { pass = outer }
        unscaleFirst(tensors(of: gradients))
        let steps: [(String, ([Tensor]) -> [Tensor])] = [
            ("flatten_gradients", flattenGradients), ("decay_weight", decayWeight),
            ("gradients_centralization", gradientsCentralization), ("scale_grad", scaleGrad),
        ]
        var tensors = tensors(of: gradients)
        return steps.map { name, stage in
            tensors = stage(tensors)
            let values = tensors.map { DryRun.Values(index: $0.index, values: Array($0.values), rows: $0.rows) }
            return DryRun.Stage(name: name, gradients: values)
        }
    }
}

extension Gradients {
    /// The same gradients in memory of their own.
    func copy(layout: ArenaLayout) -> Gradients {
        var copy = self
        copy.dense = FloatBuffer(count: layout.count)
        for (index, parameter) in layout.parameters.enumerated() where isDense[index] {
            (copy.dense.base + parameter.range.lowerBound).update(
                from: dense.base + parameter.range.lowerBound, count: parameter.range.count)
        }
        for (index, rows) in sparse {
            let values = FloatBuffer(count: rows.values.count)
            values.copy(from: rows.values)
            copy.sparse[index] = SparseRows(indices: rows.indices, values: values)
        }
        return copy
    }
}
