// Some rows of a parameter: `rows=0,5,9`, `rows=10-19`, or a list in a body.

import Optimizers

/// Rows of one parameter, in the order asked for.
struct RowSelection {
    let rows: [Int]

    /// Reads single rows and ranges (both ends included), separated by commas.
    init(_ text: String, of parameter: ParameterLayout) throws(Problem) {
        var rows: [Int] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
                last - first <= parameter.range.count
            else {
                throw Problem(.invalidQuery, "`rows` is written 0,5,9 or 10-19, not `\(text.prefix(80))`.")
            }
            rows += first...last
        }
        try self.init(rows, of: parameter)
    }

    /// Checks that every row exists.
    init(_ rows: [Int], of parameter: ParameterLayout) throws(Problem) {
        guard let count = parameter.shape.dimensions.first else {
            throw Problem(.invalidQuery, "`\(parameter.name)` is a scalar and has no rows.")
        }
        if let stray = rows.first(where: { !(0..<count).contains($0) }) {
            throw Problem(
                .invalidQuery, "Row \(stray) of `\(parameter.name)` does not exist; it has rows 0 to \(count - 1).")
        }
        self.rows = rows
    }
}
