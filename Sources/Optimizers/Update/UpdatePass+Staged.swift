// The seed's stages, one function each, in the order of the pipeline, and the update through them. Built-in rules fuse
// them; custom classes call them, and dry runs show the result of each. A test requires equal bits from both.

import CKernels

extension UpdatePass {
    /// Copies the current values, passes the gradients to `construct` and counts the changes.
    mutating func runStaged(_ gradients: Gradients) throws(OptimizerError) {
        next.update(from: current, count: layout.count)
        let tensors = tensors(of: gradients)
        for tensor in tensors { count(gradient: tensor) }
        unscaleFirst(tensors)
        for (place, rule) in rules.enumerated() {
            try rule.construct(tensors.filter { plan.rule(of: $0.index) == place }, &self)
        }
        for tensor in tensors { count(change: layout.parameters[tensor.index].range) }
    }

    /// Multiplies gradients by the factor before weight decay, as MindSpore's training cell does.
    func unscaleFirst(_ tensors: [Tensor]) {
        for tensor in tensors {
            guard let group = layout.parameters[tensor.index].groupIndex, let factor = firstFactor(group) else {
                continue
            }
            tensor.scale(by: factor)
        }
    }

    /// Returns the gradients in contiguous memory.
    ///
    /// They are already in the arena's order, so this is the identity, as in MindSpore 2.10.
    func flattenGradients(_ gradients: [Tensor]) -> [Tensor] { gradients }

    /// Adds weight decay: g + (weight_decay * loss_scale) * w for parameters that decay; in place.
    ///
    /// Shapes: each gradient like its parameter; for sparse rows, per entry with the row of w. The factor includes the
    /// loss scale because `scaleGrad` divides by it later.
    func decayWeight(_ gradients: [Tensor]) -> [Tensor] {
        for gradient in gradients {
            var decaying = conditioning(layout.parameters[gradient.index])
            (decaying.scales_before, decaying.scales_after) = (0, 0)
            condition(gradient, decaying)
        }
        return gradients
    }

    /// Subtracts the mean over all axes but the first where the parameter is centralized; in place.
    ///
    /// Shapes: rank 2 and more, see `centralization_rule`. The mean is summed in double and rounded once.
    func gradientsCentralization(_ gradients: [Tensor]) -> [Tensor] {
        for gradient in gradients where layout.parameters[gradient.index].isCentralized { center(gradient) }
        return gradients
    }

    /// Multiplies by float32(1 / loss_scale); in place.
    func scaleGrad(_ gradients: [Tensor]) -> [Tensor] {
        guard let factor = scaleAfter else { return gradients }
        for gradient in gradients where rules[plan.rule(of: gradient.index)].traits.unscales {
            gradient.scale(by: factor)
        }
        return gradients
    }

    /// A parameter of the update.
    func parameter(_ index: Int) -> Tensor {
        let parameter = layout.parameters[index]
        let values = UnsafeMutableBufferPointer(
            start: next + parameter.range.lowerBound, count: parameter.range.count)
        return Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
    }

    /// The rule alone, on gradients that have passed the stages.
    mutating func applyStaged(_ gradients: [Tensor]) {
        for gradient in gradients {
            let parameter = layout.parameters[gradient.index]
            guard let group = parameter.groupIndex, let base = gradient.values.baseAddress else { continue }
            let numbers = numbers(of: gradient.index, group: group)
            if let rows = gradient.rows {
                applySparse(gradient, rows: rows, numbers: numbers)
                continue
            }
            var update = RangeUpdate(
                range: parameter.range, weights: current, gradients: base, next: next, conditioning: pk_pass(),
                numbers: numbers, parameter: gradient.index)
            rule(of: group).apply(&update, &self)
        }
    }
}
