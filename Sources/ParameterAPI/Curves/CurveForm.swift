// The forms of a curve: chosen by the path's suffix, JSON without one.

import HTTPServing
import TensorCoding

/// How a curve is answered.
enum CurveForm: String {
    case json

    /// The form that the path's suffix names.
    init(_ call: Call) throws(Problem) {
        guard let suffix = call.suffix else {
            self = .json
            return
        }
        guard let form = CurveForm(rawValue: suffix) else {
            throw Problem(.notFound, "There is no form `\(suffix)` of a curve.")
        }
        self = form
    }

    /// The answer with the curve.
    func response(for curve: Curve, title: String, _ call: Call) -> Response {
        switch self {
        case .json:
            .json(indented: call.isIndented) { writer in
                writer.beginObject()
                writer.key("steps")
                writer.integers(curve.steps)
                writer.key(curve.quantity)
                writer.beginObject()
                for series in curve.series {
                    writer.key(series.name)
                    writer.optionalNumbers(series.values)
                }
                writer.endObject()
                writer.endObject()
            }
        }
    }
}

extension JSONWriter {
    /// Writes an array of numbers on one line; null where there is none.
    mutating func optionalNumbers(_ values: [Float?]) {
        let numbers = values.compactMap { $0 }
        if numbers.count == values.count { return numbers.withUnsafeBufferPointer { self.numbers($0) } }
        beginArray()
        for value in values {
            if let value { number(value) } else { null() }
        }
        endArray()
    }
}
