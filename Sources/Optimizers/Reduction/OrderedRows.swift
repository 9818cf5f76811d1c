// A sparse gradient with its rows in ascending order and each row once, so that rows of several workers can be walked
// side by side.

/// The distinct rows of a sparse gradient, in ascending order.
struct OrderedRows {
    /// The row numbers, ascending.
    let rows: [Int]
    /// The gradient with the entries of each row added up: the one given if no row occurs twice.
    let summed: SparseRows
    /// By place in `rows`: the first value in `summed.values`.
    private let starts: [Int]

    /// Sorts a sparse gradient; entries of the same row are added in float32 in the order pushed, as in an update.
    ///
    /// Its sums exist only if a row occurs twice. They are owed: the gradients have been logged.
    ///
    /// - Parameter width: The number of values in a row.
    init(_ sparse: SparseRows, width: Int) {
        let (indices, order) = (sparse.indices, Self.order(sparse.indices))
        var rows: [Int] = []
        rows.reserveCapacity(order.count)
        for entry in order where rows.last != indices[entry] { rows.append(indices[entry]) }
        self.rows = rows
        guard rows.count < order.count else {
            (summed, starts) = (sparse, order.map { $0 * width })
            return
        }
        let sums = FloatBuffer(owed: rows.count * width)
        var place = -1
        for entry in order {
            let isRepeated = place >= 0 && rows[place] == indices[entry]
            if !isRepeated { place += 1 }
            let (source, target) = (sparse.values.base + entry * width, sums.base + place * width)
            if isRepeated {
                VectorMath.add(source, to: target, count: width)
            } else {
                target.update(from: source, count: width)
            }
        }
        (summed, starts) = (SparseRows(indices: rows, values: sums), rows.indices.map { $0 * width })
    }

    /// The values of the row at a place in `rows`.
    func values(at place: Int) -> UnsafePointer<Float> { UnsafePointer(summed.values.base + starts[place]) }

    /// The entries sorted by row, in the order pushed within a row.
    private static func order(_ indices: [Int]) -> [Int] {
        indices.indices.sorted { indices[$0] == indices[$1] ? $0 < $1 : indices[$0] < indices[$1] }
    }
}
