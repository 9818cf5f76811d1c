// The stages of one push of a round, before the reduction: a reduction of one push computes them with the same
// arithmetic as that of all.

extension ModelOptimizer {
    /// What a push of a round passes on its own: it is unscaled, and clipped if the bound holds for each worker.
    func contributionStages(
        of push: Gradients, from current: UnsafePointer<Float>
    ) throws(OptimizerError) -> [DryRun.Stage] {
        let arena = try FloatBuffer(count: plan.layout.count)
        func stage(_ name: String, _ gradients: Gradients) -> DryRun.Stage {
            DryRun.Stage(name: name, pass(of: gradients, from: current).tensors(of: gradients))
        }
        func alone(_ clip: GradientClip?) -> Gradients {
            Reduction.sum.combine(
                [Contribution(push)], scale: lossScale, clip: clip, into: arena, layout: plan.layout
            ).gradients
        }
        var stages = [stage("flatten_gradients", push), stage("scale_grad", alone(nil))]
        if let clip = plan.clip, clip.scope == .worker { stages.append(stage(clip.stage, alone(clip))) }
        return stages
    }

    /// The bytes that these stages need, except for the values that they return.
    func contributionBytes(of origin: DryRun.Origin) -> Int {
        guard case .round(let push) = origin else { return 0 }
        return plan.layout.count * MemoryLayout<Float>.stride
            + Reduction.sum.combinedBytes([Contribution(push)], in: plan.layout)
    }
}
