// The seed's stages, one function each, in the order of the pipeline. Built-in rules fuse them; subclasses call them and
// dry runs show what each did. A test demands equal bits of both ways.

import CKernels

extension Optimizer {
    /// Returns the gradients in contiguous memory. They lie in the arena's order already, so this is the identity.
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
            var conditioning = pass.conditioning(layout.parameters[gradient.index], decays: Self.traits.decaysGradient)
            (conditioning.scales_before, conditioning.scales_after) = (0, 0)
            condition(gradient, conditioning, pass)
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
        guard let factor = pass?.scaleAfter else { return gradients }
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
