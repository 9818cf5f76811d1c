// The numbers of a tensor for an answer: a whole parameter, or some of its rows, wherever they are in memory.
// `TensorDocument` and `TensorFile` read them in pieces.

/// The values of a tensor, valid as long as `owner` exists.
struct TensorValues: @unchecked Sendable {
    private let owner: AnyObject
    private let values: UnsafeBufferPointer<Float>
    private let rows: [Int]?
    private let width: Int
    /// The number of values.
    let count: Int

    /// All of `values`, or those of some rows of `width` values each.
    init(_ values: UnsafeBufferPointer<Float>, rows: [Int]? = nil, width: Int = 0, keptBy owner: AnyObject) {
        self.owner = owner
        self.values = values
        self.rows = rows
        self.width = width
        count = rows.map { $0.count * width } ?? values.count
    }

    /// Passes a range of values to `body`, in one piece.
    func read<Result>(_ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Result) -> Result {
        guard let rows, width > 0 else { return body(UnsafeBufferPointer(rebasing: values[range])) }
        let gathered = range.map { values[rows[$0 / width] * width + $0 % width] }
        return gathered.withUnsafeBufferPointer(body)
    }

    /// The pieces of memory with the values, in order.
    var pieces: [UnsafeBufferPointer<Float>] {
        guard let rows else { return [values] }
        return rows.map { UnsafeBufferPointer(rebasing: values[$0 * width..<($0 + 1) * width]) }
    }
}
