// Numbers of a tensor as an answer sends them: all of a parameter, or some of its rows one after the other, wherever they
// are in memory. Read in pieces by `TensorDocument` and `TensorFile`.

/// The values of a tensor, valid as long as `owner` lives.
struct TensorValues: @unchecked Sendable {
    private let owner: AnyObject
    private let values: UnsafeBufferPointer<Float>
    private let rows: [Int]?
    private let width: Int
    /// How many there are.
    let count: Int

    /// All of `values`, or those of some rows of `width` values each.
    init(_ values: UnsafeBufferPointer<Float>, rows: [Int]? = nil, width: Int = 0, keptBy owner: AnyObject) {
        self.owner = owner
        self.values = values
        self.rows = rows
        self.width = width
        count = rows.map { $0.count * width } ?? values.count
    }

    /// Gives the values at some places to `body`, in one piece.
    func read<Result>(_ range: Range<Int>, _ body: (UnsafeBufferPointer<Float>) -> Result) -> Result {
        guard let rows, width > 0 else { return body(UnsafeBufferPointer(rebasing: values[range])) }
        let gathered = range.map { values[rows[$0 / width] * width + $0 % width] }
        return gathered.withUnsafeBufferPointer(body)
    }

    /// Where they are in memory, in order.
    var pieces: [UnsafeBufferPointer<Float>] {
        guard let rows else { return [values] }
        return rows.map { UnsafeBufferPointer(rebasing: values[$0 * width..<($0 + 1) * width]) }
    }
}
