// mindspore.nn.AdaFactor. Loops: `adafactor_matrix` or `adafactor_direction`, then `adafactor`, in CKernels.

import CKernels
import Glibc

/// AdaFactor: second moments of matrices kept as a row and a column, rate relative to the parameter's size.
///
///     lr = relative_step ? min(warmup_init ? 1e-6 t : 1e-2, 1 / sqrt(t)) : given;   scale_parameter: lr *= max(eps2, rms(w))
///     b = 1 - t^-decay_rate;   u = g g + eps1
///     rank >= 2:  r = b r + (1 - b) mean(u, -1);   c = b c + (1 - b) mean(u, -2);   U = g / sqrt(r / mean(r)) / sqrt(c)
///     else:       v = b v + (1 - b) u;   U = g / sqrt(v)
///     U *= lr / max(1, rms(U) / clip_threshold);   beta1 > 0:  m = beta1 m + (1 - beta1) U, U = m
///     w = w - weight_decay lr w - U
///
/// Weight decay has no name filter; a group's own, centralization and the loss scale have no effect, as in MindSpore.
/// - Throws: ValueError unless exactly one of learning_rate and relative_step is given, for warmup_init without
///   relative_step, for a group's `lr`, and for arguments out of range.
/// - Source: mindspore.nn.AdaFactor. Slots `exp_avg`, `exp_avg_sq`, `exp_avg_sq_row`, `exp_avg_sq_col`.
final class AdaFactor: Rule {
    override class var traits: RuleTraits {
        var traits = RuleTraits("AdaFactor")
        traits.makesOwnRate = true
        traits.centralizes = false
        traits.filtersNames = false
        traits.decaysGradient = false
        traits.groupsWeightDecay = false
        traits.unscales = false
        traits.updatesWholeModel = true
        return traits
    }

    override class var readsRates: Bool { true }

    private let arguments: AdaFactorArguments

    required init(_ plan: OptimizerPlan) throws(OptimizerError) {
        arguments = try AdaFactorArguments(plan)
        try super.init(plan)
    }

    override var slotDefinitions: [SlotDefinition] {
        [
            SlotDefinition("exp_avg"),
            SlotDefinition("exp_avg_sq") { $0.shape.rank < 2 ? $0.shape : nil },
            SlotDefinition("exp_avg_sq_row") { Self.factor($0.shape, without: 1) },
            SlotDefinition("exp_avg_sq_col") { Self.factor($0.shape, without: 2) },
        ]
    }

    /// The width of the widest matrix row, in doubles.
    override func scratchByteCount(_ layout: ArenaLayout) -> Int { widestRow(layout) * MemoryLayout<Double>.stride }

    private func widestRow(_ layout: ArenaLayout) -> Int {
        let matrices = layout.parameters.lazy.map(\.shape).filter { $0.rank >= 2 && $0.elementCount > 0 }
        return matrices.map { $0.dimensions[$0.rank - 1] }.max() ?? 0
    }

    /// The shape without its last (1) or second to last (2) extent; nil below rank 2.
    private static func factor(_ shape: Shape, without place: Int) -> Shape? {
        guard shape.rank >= 2 else { return nil }
        var dimensions = shape.dimensions
        dimensions.remove(at: dimensions.count - place)
        return Shape(dimensions)
    }

    override var mergesNeighbours: Bool { false }

    override func constants(_ moment: Moment) -> pk_constants {
        var numbers = pk_constants()
        numbers.beta1 = arguments.beta1
        numbers.one_minus_beta1 = 1 - arguments.beta1
        numbers.beta2 = Float(1 - pow(Double(moment.t), -arguments.decayRate))
        numbers.one_minus_beta2 = 1 - numbers.beta2
        numbers.epsilon = Float(arguments.epsilons.0)
        return numbers
    }

    override func apply(_ update: inout RangeUpdate, _ pass: inout UpdatePass) {
        guard !update.range.isEmpty else { return }
        let count = Double(update.range.count)
        let weights = update.weights + update.range.lowerBound
        let rmsOfWeights = (VectorMath.sumOfSquares(weights, count: update.range.count) / count).squareRoot()
        let rate = arguments.rate(
            given: Double(pass.rates[0]), t: pass.state.t(of: update.parameter), rmsOfWeights: rmsOfWeights)
        let gradientSquares = direct(&update, pass)
        let rms = (VectorMath.sumOfSquares(update.gradients, count: update.range.count) / count).squareRoot()
        var call = update.call(slots: pass.slots(of: update.parameter))
        call.pass = pk_pass()
        call.constants.rate = Float(rate / max(1, rms / arguments.clipThreshold))
        call.constants.shrink = Float(1 - arguments.weightDecay * rate)
        pk_apply(VectorMath.isa, PK_RULE_ADAFACTOR, &call, &update.sums)
        update.sums.gradient_squares = gradientSquares
    }

    /// Turns the gradient into its direction in place; returns the sum of squares of the original.
    private func direct(_ update: inout RangeUpdate, _ pass: UpdatePass) -> Double {
        let (shape, parameter) = (pass.layout.parameters[update.parameter].shape, update.parameter)
        let squares = VectorMath.sumOfSquares(update.gradients, count: update.range.count)
        var call = update.call(slots: pass.slots(of: update.parameter))
        if shape.rank < 2 {
            var ignored = pk_sums()
            call.next = update.gradients
            call.slots.0 = pass.slots[1][parameter].baseAddress
            pk_apply(VectorMath.isa, PK_RULE_ADAFACTOR_DIRECTION, &call, &ignored)
            return squares
        }
        pk_condition(VectorMath.isa, &call.pass, call.weights, update.gradients, update.range.count)
        directMatrices(update, shape, call.constants, pass)
        return squares
    }

    private func directMatrices(
        _ update: RangeUpdate, _ shape: Shape, _ numbers: pk_constants, _ pass: UpdatePass
    ) {
        let (rows, columns) = (shape.dimensions[shape.rank - 2], shape.dimensions[shape.rank - 1])
        var columnSums = [Double](repeating: 0, count: columns)
        guard let row = pass.slots[2][update.parameter].baseAddress,
            let column = pass.slots[3][update.parameter].baseAddress
        else { return }
        for matrix in 0..<(update.range.count / (rows * columns)) {
            pk_adafactor_matrix(
                VectorMath.isa, update.gradients + matrix * rows * columns, rows, columns, row + matrix * rows,
                column + matrix * columns, numbers.beta2, numbers.epsilon, &columnSums)
        }
    }
}
