// A named view of float32 memory, used by `construct` and the stages. Views do not own memory; the buffers outlive the
// step.

/// A parameter's gradient, or the parameter itself, during one update.
public struct Tensor {
    /// The parameter's index in the layout.
    public let index: Int
    /// The shape.
    public let shape: Shape
    /// The values, row-major.
    public let values: UnsafeMutableBufferPointer<Float>
    /// For a sparse gradient, the rows in `values`, in order.
    public let rows: [Int]?

    init(index: Int, shape: Shape, values: UnsafeMutableBufferPointer<Float>, rows: [Int]?) {
        (self.index, self.shape, self.values, self.rows) = (index, shape, values, rows)
    }

    /// A sparse gradient of a parameter of this shape.
    init(index: Int, shape: Shape, _ sparse: SparseRows) {
        let values = sparse.values[0..<(sparse.indices.count * shape.rowCount)]
        self.init(index: index, shape: shape, values: values, rows: sparse.indices)
    }

    /// One value.
    public subscript(position: Int) -> Float {
        get { values[position] }
        nonmutating set { values[position] = newValue }
    }

    /// Multiplies every value.
    func scale(by factor: Float) {
        if let base = values.baseAddress { VectorMath.scale(base, by: factor, count: values.count) }
    }

    /// The indices of the values.
    public var indices: Range<Int> { 0..<values.count }
}
