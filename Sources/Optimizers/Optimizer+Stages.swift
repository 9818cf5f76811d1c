// The seed's stages, one function each, in the order of the pipeline. Built-in rules fuse them; subclasses call them and
// dry runs show what each did. A test demands equal bits of both ways.

import CKernels

extension Optimizer {
    /// Returns the gradients in contiguous memory.
    ///
    /// They lie in the arena's order already, so this is the identity.
    ///
    /// - Source: seed, `flatten_gradients`; MindSpore 2.10 returns its argument too.
    public func flattenGradients(_ gradients: [Tensor]) -> [Tensor] { gradients }

    /// Adds weight decay: g + (weight_decay * loss_scale) * w for parameters that decay; in place.
    ///
    /// Shapes: each gradient as its parameter; for sparse rows, per entry with the row of w. The factor holds the loss
    /// scale because `scaleGrad` divides by it later.
    /// - Source: seed, `decay_weight`.
    public func decayWeight(_ gradients: [Tensor]) -> [Tensor] {
        guard let pass else { return gradients }
        for gradient in gradients {
            var decaying = conditioning(layout.parameters[gradient.index], pass)
            (decaying.scales_before, decaying.scales_after) = (0, 0)
            condition(gradient, decaying, pass)
        }
        return gradients
    }

    /// Subtracts the mean over all axes but the first where the parameter is centralized; in place.
    ///
    /// Shapes: rank 2 and more, see `centralization_rule`. The mean is summed in double and rounded once.
    /// - Source: seed, `gradients_centralization`.
    public func gradientsCentralization(_ gradients: [Tensor]) -> [Tensor] {
        for gradient in gradients where layout.parameters[gradient.index].isCentralized { center(gradient) }
        return gradients
    }

    /// Multiplies by float32(1 / loss_scale); in place.
    ///
    /// - Source: seed, `scale_grad`.
    public func scaleGrad(_ gradients: [Tensor]) -> [Tensor] {
        guard let factor = pass?.scaleAfter, Self.traits.unscales else { return gradients }
        for gradient in gradients {
            guard let base = gradient.values.baseAddress else { continue }
            VectorMath.scale(base, by: factor, count: gradient.values.count)
        }
        return gradients
    }

    /// The parameters under update, all of them, in update order: `construct` changes them in place.
    public var parameters: [Tensor] { layout.parameters.indices.compactMap { parameter($0) } }

    /// The parameter under update that a gradient belongs to.
    public func parameter(of gradient: Tensor) -> UnsafeMutableBufferPointer<Float> {
        parameter(gradient.index)?.values ?? UnsafeMutableBufferPointer(start: nil, count: 0)
    }

    private func parameter(_ index: Int) -> Tensor? {
        guard let pass else { return nil }
        let parameter = layout.parameters[index]
        let values = UnsafeMutableBufferPointer(
            start: pass.next + parameter.range.lowerBound, count: parameter.range.count)
        return Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
    }

    /// The pipeline of a parameter as the kernels take it; centralization happens before the last factor.
    func conditioning(_ parameter: ParameterLayout, _ pass: UpdatePass) -> pk_pass {
        var conditioning = pk_pass()
        guard let group = parameter.groupIndex else { return conditioning }
        if let factor = firstFactor(group, pass) {
            (conditioning.before, conditioning.scales_before) = (factor, 1)
        }
        if parameter.decays, addsDecay(group) {
            (conditioning.decay, conditioning.decays) = (pass.decays[group] * pass.lossScale, 1)
        }
        if let factor = pass.scaleAfter, Self.traits.unscales {
            (conditioning.after, conditioning.scales_after) = (factor, 1)
        }
        return conditioning
    }

    /// What multiplies a gradient before weight decay: the training cell's unscaling, torch's `maximize`.
    func firstFactor(_ group: Int, _ pass: UpdatePass) -> Float? {
        if maximizes(group) { return -(pass.unscale ?? 1) }
        return pass.unscale
    }

    /// Runs part of the pipeline over a gradient, against the parameter's present values.
    func condition(_ gradient: Tensor, _ conditioning: pk_pass, _ pass: UpdatePass) {
        guard let base = gradient.values.baseAddress else { return }
        var conditioning = conditioning
        let weights = pass.current + layout.parameters[gradient.index].range.lowerBound
        guard let rows = gradient.rows else {
            pk_condition(VectorMath.isa, &conditioning, weights, base, gradient.values.count)
            return
        }
        let width = gradient.shape.rowCount
        for (entry, row) in rows.enumerated() {
            pk_condition(VectorMath.isa, &conditioning, weights + row * width, base + entry * width, width)
        }
    }

    func center(_ gradient: Tensor) {
        guard let base = gradient.values.baseAddress else { return }
        let rows = gradient.rows?.count ?? gradient.shape.dimensions[0]
        pk_center_rows(VectorMath.isa, base, rows, gradient.shape.rowCount)
    }
}
