// The staged way of an update: gradients as tensors, `construct` as the subclass wrote it, counting before and after.

import CKernels

extension Optimizer {
    /// Copies the present values, hands the gradients to `construct` and counts what it did.
    func runStaged(_ gradients: inout Gradients) throws(OptimizerError) {
        guard let pass else { return }
        pass.next.update(from: pass.current, count: layout.count)
        let tensors = tensors(of: gradients)
        for tensor in tensors { count(gradient: tensor) }
        unscaleFirst(tensors)
        try construct(tensors)
        for tensor in tensors { count(change: layout.parameters[tensor.index].range) }
    }

    /// Multiplies gradients by what comes before weight decay, as MindSpore's training cell does.
    func unscaleFirst(_ tensors: [Tensor]) {
        guard let pass else { return }
        for tensor in tensors {
            guard let group = layout.parameters[tensor.index].groupIndex, let base = tensor.values.baseAddress,
                let factor = firstFactor(group, pass)
            else { continue }
            VectorMath.scale(base, by: factor, count: tensor.values.count)
        }
    }

    /// The gradients that are present, in update order.
    func tensors(of gradients: Gradients) -> [Tensor] {
        layout.parameters.indices.compactMap { index in
            let parameter = layout.parameters[index]
            guard parameter.isTrainable else { return nil }
            if gradients.isDense[index] {
                let values = gradients.dense[parameter.range]
                return Tensor(index: index, shape: parameter.shape, values: values, rows: nil)
            }
            guard let rows = gradients.sparse[index] else { return nil }
            let values = rows.values[0..<(rows.indices.count * parameter.shape.rowCount)]
            return Tensor(index: index, shape: parameter.shape, values: values, rows: rows.indices)
        }
    }

    func count(gradient: Tensor) {
        guard let base = gradient.values.baseAddress else { return }
        pass?.sums.gradient_squares += VectorMath.sumOfSquares(base, count: gradient.values.count)
    }

    /// Counts what an update changed in a range of the arena.
    func count(change range: Range<Int>) {
        guard var pass else { return }
        pk_compare(
            VectorMath.isa, pass.current + range.lowerBound, pass.next + range.lowerBound, range.count, &pass.sums)
        self.pass = pass
    }
}
