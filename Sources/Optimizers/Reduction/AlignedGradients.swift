// One parameter's gradients from all workers of a round side by side, cut where a worker has values or has none.

/// The gradients of one parameter from every contribution of a round.
struct AlignedGradients {
    /// Whether any contribution is dense; the others then count as zero outside of their rows.
    let isDense: Bool
    /// The distinct rows of the sparse contributions, in ascending order.
    let rows: [Int]
    private let width: Int
    private let count: Int
    /// By contribution: its dense gradient.
    private let dense: [UnsafePointer<Float>?]
    /// By contribution: its sparse gradient.
    private let sparse: [OrderedRows?]

    /// Aligns the gradients of a parameter; nil if no contribution has one.
    init?(_ index: Int, of contributions: [Contribution], in layout: ArenaLayout) {
        guard contributions.contains(where: { $0.gradients.has(index) }) else { return nil }
        let parameter = layout.parameters[index]
        let width = parameter.shape.rowCount
        (self.width, count) = (width, parameter.range.count)
        dense = contributions.map { contribution in
            let values = contribution.gradients.dense.base + parameter.range.lowerBound
            return contribution.gradients.isDense[index] ? UnsafePointer(values) : nil
        }
        sparse = contributions.map { contribution in
            guard !contribution.gradients.isDense[index] else { return nil }
            return contribution.gradients.sparse[index].map { OrderedRows($0, width: width) }
        }
        isDense = dense.contains { $0 != nil }
        let named = sparse.flatMap { $0?.rows ?? [] }.sorted()
        rows = named.indices.filter { $0 == 0 || named[$0 - 1] != named[$0] }.map { named[$0] }
    }

    /// The number of values of the result: those of the parameter, or of the rows.
    var valueCount: Int { isDense ? count : rows.count * width }

    /// Calls `body` for each stretch of the result in which every contribution has all values or none.
    ///
    /// `body` receives the first value of each contribution, nil where it has none, and the stretch.
    func forEachStretch(_ body: ([UnsafePointer<Float>?], Range<Int>) -> Void) {
        var cursors = [Int](repeating: 0, count: sparse.count)
        var sources = dense
        var end = 0
        for (place, row) in rows.enumerated() {
            let start = (isDense ? row : place) * width
            visitDense(end..<start, body)
            for (worker, ordered) in sparse.enumerated() {
                sources[worker] = dense[worker].map { $0 + start }
                guard let ordered, cursors[worker] < ordered.rows.count, ordered.rows[cursors[worker]] == row else {
                    continue
                }
                sources[worker] = ordered.values(at: cursors[worker])
                cursors[worker] += 1
            }
            end = start + width
            body(sources, start..<end)
        }
        visitDense(end..<valueCount, body)
    }

    /// A stretch without sparse rows.
    private func visitDense(_ range: Range<Int>, _ body: ([UnsafePointer<Float>?], Range<Int>) -> Void) {
        if !range.isEmpty { body(dense.map { $0.map { $0 + range.lowerBound } }, range) }
    }
}
