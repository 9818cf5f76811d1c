// One parameter's gradients from all workers of a round side by side, cut where a worker has values or has none.

/// The gradients of one parameter from every contribution of a round.
struct AlignedGradients {
    /// The values of one contribution in a stretch.
    struct Part {
        /// The place of the contribution in the round.
        let contribution: Int
        /// The first of its values.
        let values: UnsafePointer<Float>
    }

    /// A row of a sparse contribution.
    private struct Entry {
        let row: Int
        let part: Part
    }

    /// Whether any contribution is dense; the others then count as zero outside of their rows.
    let isDense: Bool
    /// The distinct rows of the sparse contributions, in ascending order.
    let rows: [Int]
    private let width: Int
    private let count: Int
    /// The dense gradients, in the order of the contributions.
    private let dense: [Part]
    /// The rows of the sparse gradients, in ascending order, and within a row in the order of the contributions.
    private let entries: [Entry]
    /// The memory of the rows that occur twice in a contribution.
    private let sums: [OrderedRows]

    /// Aligns the gradients of a parameter; nil if no contribution has one.
    init?(_ index: Int, of contributions: [Contribution], in layout: ArenaLayout) {
        let parameter = layout.parameters[index]
        let width = parameter.shape.rowCount
        var (dense, entries, sums): ([Part], [Entry], [OrderedRows]) = ([], [], [])
        for (place, gradients) in contributions.lazy.map(\.gradients).enumerated() {
            if gradients.isDense[index] {
                let values = UnsafePointer(gradients.dense.base + parameter.range.lowerBound)
                dense.append(Part(contribution: place, values: values))
            } else if let sparse = gradients.sparse[index] {
                let ordered = OrderedRows(sparse, width: width)
                sums.append(ordered)
                for (entry, row) in ordered.rows.enumerated() {
                    entries.append(Entry(row: row, part: Part(contribution: place, values: ordered.values(at: entry))))
                }
            }
        }
        guard !dense.isEmpty || !sums.isEmpty else { return nil }
        entries.sort { ($0.row, $0.part.contribution) < ($1.row, $1.part.contribution) }
        rows = entries.indices.filter { $0 == 0 || entries[$0 - 1].row != entries[$0].row }.map { entries[$0].row }
        (self.width, count, isDense) = (width, parameter.range.count, !dense.isEmpty)
        (self.dense, self.entries, self.sums) = (dense, entries, sums)
    }

    /// The number of values of the result: those of the parameter, or of the rows.
    var valueCount: Int { isDense ? count : rows.count * width }

    /// Calls `body` for each stretch of the result in which every contribution has all values or none.
    ///
    /// `body` receives the parts of the contributions that have values, in their order, and the stretch. Takes time in
    /// proportion to those parts: in most rounds with sparse gradients, few contributions have a row.
    func forEachStretch(_ body: ([Part], Range<Int>) -> Void) {
        var parts: [Part] = []
        var (next, end) = (0, 0)
        for (place, row) in rows.enumerated() {
            let start = (isDense ? row : place) * width
            visitDense(end..<start, body)
            parts.removeAll(keepingCapacity: true)
            var others = dense[...]
            while next < entries.count, entries[next].row == row {
                let part = entries[next].part
                while let other = others.first, other.contribution < part.contribution {
                    parts.append(other.advanced(by: start))
                    others.removeFirst()
                }
                parts.append(part)
                next += 1
            }
            parts += others.map { $0.advanced(by: start) }
            end = start + width
            body(parts, start..<end)
        }
        visitDense(end..<valueCount, body)
    }

    /// A stretch without sparse rows.
    private func visitDense(_ range: Range<Int>, _ body: ([Part], Range<Int>) -> Void) {
        if !range.isEmpty { body(dense.map { $0.advanced(by: range.lowerBound) }, range) }
    }
}

extension AlignedGradients.Part {
    /// The part from a later value on.
    fileprivate func advanced(by count: Int) -> Self { Self(contribution: contribution, values: values + count) }
}
