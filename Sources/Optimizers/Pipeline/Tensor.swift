// A named view of float32 memory: what `construct` and the stages pass around. Views never own; the buffers outlive the
// step.

/// A parameter's gradient, or the parameter itself, during one update.
public struct Tensor {
    /// The parameter's place in the layout.
    public let index: Int
    /// The extents.
    public let shape: Shape
    /// The values, row-major.
    public let values: UnsafeMutableBufferPointer<Float>
    /// For a sparse gradient, the rows that `values` holds one after another.
    public let rows: [Int]?

    /// One value.
    public subscript(position: Int) -> Float {
        get { values[position] }
        nonmutating set { values[position] = newValue }
    }

    /// The positions of the values.
    public var indices: Range<Int> { 0..<values.count }
}
