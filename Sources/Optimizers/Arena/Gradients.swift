// One decoded push. The network layer fills it; the optimizer may use it as scratch.

import CKernels
import Names

/// The gradients of one push.
///
/// Dense values are stored at their parameter's range of an arena-shaped buffer.
public struct Gradients: Sendable {
    /// Arena-shaped and used as scratch; values outside the ranges of dense parameters are undefined.
    public var dense: FloatBuffer
    /// By parameter index: whether `dense` holds its gradient.
    public var isDense: [Bool]
    /// By parameter index: sparse gradients.
    public var sparse: [Int: SparseRows]
    /// Whether every value is finite.
    ///
    /// The decoder knows; `update` relies on it instead of reading the gradients again.
    public var isFinite: Bool
    /// Whether the decoder found all of them in `Modesty.values`; otherwise an update may have to read them once more.
    ///
    /// Remains true when they are scaled by a factor up to 1; not when rows are added or an unscaling makes them larger.
    public var areKnownModest = false
    /// Whether they have been divided by the loss scale, as a reduction does; pushes arrive multiplied by it.
    public var isUnscaled = false
    /// Whether they have been clipped, in place or before their reduction; then they are unscaled, too.
    public var isClipped = false

    /// Makes gradients for a layout, with none present.
    public init(dense: FloatBuffer, parameterCount: Int) {
        self.dense = dense
        isDense = Array(repeating: false, count: parameterCount)
        sparse = [:]
        isFinite = true
    }

    /// Bytes needed to sort the entries of the longest sparse gradient.
    var orderBytes: Int { sparse.values.reduce(0) { max($0, $1.indices.count) } * 2 * MemoryLayout<Int>.stride }

    /// Whether the parameter has a gradient.
    func has(_ parameter: Int) -> Bool { isDense[parameter] || sparse[parameter] != nil }

    /// Multiplies every value by a factor, in place; with one from 0 to 1, finite gradients stay finite.
    public func scale(by factor: Float, in layout: ArenaLayout) {
        forEachPart(in: layout) { VectorMath.scale($0, by: factor, count: $1) }
    }

    /// Calls `body` with the values of each gradient and their number, in update order.
    func forEachPart(in layout: ArenaLayout, _ body: (UnsafeMutablePointer<Float>, Int) -> Void) {
        for (index, parameter) in layout.parameters.enumerated() {
            if isDense[index] { body(dense.base + parameter.range.lowerBound, parameter.range.count) }
            guard let rows = sparse[index] else { continue }
            body(rows.values.base, rows.indices.count * parameter.shape.rowCount)
        }
    }

    /// Divides every value, in place; finite gradients stay finite if the divisor is at least 1.
    public func divide(by divisor: Float, in layout: ArenaLayout) {
        for (index, parameter) in layout.parameters.enumerated() where isDense[index] {
            for place in parameter.range { dense.base[place] /= divisor }
        }
        for rows in sparse.values {
            for place in 0..<rows.values.count { rows.values.base[place] /= divisor }
        }
    }

    /// A copy of the gradients.
    func copy(layout: ArenaLayout) throws(OptimizerError) -> Gradients {
        var copy = self
        copy.dense = try FloatBuffer(count: layout.count)
        for (index, parameter) in layout.parameters.enumerated() where isDense[index] {
            (copy.dense.base + parameter.range.lowerBound).update(
                from: dense.base + parameter.range.lowerBound, count: parameter.range.count)
        }
        for (index, rows) in sparse {
            let values = try FloatBuffer(count: rows.values.count)
            values.copy(from: rows.values)
            copy.sparse[index] = SparseRows(indices: rows.indices, values: values)
        }
        return copy
    }

    /// The first parameter, in update order, whose gradient contains NaN or infinity; nil if all are finite.
    public func firstNonFinite(in layout: ArenaLayout) -> Name? {
        for (index, parameter) in layout.parameters.enumerated() {
            if isDense[index], !VectorMath.allFinite(dense[parameter.range]) { return parameter.name }
            if let rows = sparse[index], !VectorMath.allFinite(rows.values[0..<rows.values.count]) {
                return parameter.name
            }
        }
        return nil
    }
}

/// The gradient of some rows of a parameter: row `indices[k]` has the values `k` of `values`.
public struct SparseRows: Sendable {
    /// Row numbers in the order pushed; a row may occur more than once.
    public var indices: [Int]
    /// `indices.count` rows of the parameter's row count, contiguous; scratch for the optimizer.
    public var values: FloatBuffer

    /// Makes a sparse gradient.
    public init(indices: [Int], values: FloatBuffer) {
        self.indices = indices
        self.values = values
    }
}

/// Elementary operations on float32 memory, with the kernels of this machine.
public enum VectorMath {
    static let isa = pk_best_isa()

    /// Whether all values are finite.
    public static func allFinite(_ values: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let base = values.baseAddress else { return true }
        return pk_all_finite(isa, base, values.count) != 0
    }

    /// Whether every value is at least `range`'s lower bound and below its upper one.
    static func allWithin(_ range: Range<Float>, _ values: UnsafeMutableBufferPointer<Float>) -> Bool {
        guard let base = values.baseAddress else { return true }
        return pk_all_within(isa, base, values.count, range.lowerBound, range.upperBound) != 0
    }

    /// target += source, value by value.
    public static func add(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int) {
        pk_add(isa, target, source, count)
    }

    /// values *= factor, value by value.
    public static func scale(_ values: UnsafeMutablePointer<Float>, by factor: Float, count: Int) {
        pk_scale(isa, values, factor, count)
    }

    /// Bounds every magnitude: min(max(value, -most), most), value by value.
    static func clamp(_ values: UnsafeMutablePointer<Float>, to most: Float, count: Int) {
        pk_clamp(isa, values, most, count)
    }

    /// The sum of squares, in double; the same bits on every machine.
    public static func sumOfSquares(_ values: UnsafePointer<Float>, count: Int) -> Double {
        pk_sum_of_squares(isa, values, count)
    }
}
