// Some rows of a parameter: `rows=0,5,9`, `rows=10-19`, or a list in a body.

import HTTPServing
import Optimizers
import TensorCoding

/// Rows of one parameter, in the order requested.
struct RowSelection {
    let rows: [Int]

    /// Reads single rows and ranges (both ends included), separated by commas.
    init(_ text: String, of parameter: ParameterLayout) throws(Problem) {
        var rows: [Int] = []
        for part in text.parts(between: ",", omittingEmpty: false) {
            let ends = part.parts(between: "-", omittingEmpty: false).map { Int(digits: $0) }
            guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, first <= last,
                last - first <= parameter.range.count
            else {
                throw Problem(.invalidQuery, "`rows` must be written as 0,5,9 or 10-19, not `\(text.prefix(80))`.")
            }
            try Self.check(count: rows.count + (last - first + 1))
            rows += first...last
        }
        try self.init(rows, of: parameter)
    }

    /// Reads the body of a lookup, `{"rows":[...]}`.
    init(_ document: JSONValue, of parameter: ParameterLayout) throws(Problem) {
        guard document.members?.count == 1, let elements = document["rows"]?.elements else {
            throw Problem([Complaint(pointer: "/rows", exception: .typeError, detail: "write {\"rows\":[0,5,9]}")])
        }
        let numbers = elements.compactMap(\.integer)
        guard numbers.count == elements.count else {
            throw Problem([
                Complaint(
                    pointer: "/rows", exception: .typeError,
                    detail: "`rows` must be whole numbers; write {\"rows\":[0,5,9]}")
            ])
        }
        try self.init(numbers.map { Int($0) }, of: parameter)
    }

    private static func check(count: Int) throws(Problem) {
        guard count <= FixedLimits.rows else {
            throw Problem(
                .invalidQuery, "An answer has at most \(FixedLimits.rows) rows; ask for them in several requests.")
        }
    }

    /// Checks that every row exists.
    init(_ rows: [Int], of parameter: ParameterLayout) throws(Problem) {
        try Self.check(count: rows.count)
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
