// The formats of a curve: chosen by the path's suffix, or by the Accept header; JSON by default.

import HTTPServing
import Names
import TensorCoding

/// The format of a curve's answer.
enum CurveForm: String, AnswerForm {
    case json
    case csv
    case svg
    case txt

    var format: WireFormat {
        switch self {
        case .json: .json
        case .csv: .csv
        case .svg: .svg
        case .txt: .txt
        }
    }

    /// The answer with the curve.
    func response(for curve: Curve, title: String, _ call: Call) -> Response {
        switch self {
        case .json: .json(indented: call.isIndented) { $0.curve(curve) }
        case .csv: .text(CurveTable(curve).text, as: .csv)
        case .svg: .text(CurvePlot(curve, title: title).svg, as: .svg)
        case .txt: .text(Sparklines(curve).text)
        }
    }
}

extension JSONWriter {
    /// Writes `{"steps":[...],"lr":{"group":[...]}}`, or `"lr":[...]` for a single series without a name.
    fileprivate mutating func curve(_ curve: Curve) {
        beginObject()
        key("steps")
        integers(curve.steps)
        key(Name(curve.quantity))
        if let only = curve.series.first, only.name.isEmpty {
            optionalNumbers(only.values)
        } else {
            beginObject()
            for series in curve.series {
                key(Name(series.name))
                optionalNumbers(series.values)
            }
            endObject()
        }
        endObject()
    }

    /// Writes an array of numbers on one line; null for a missing one.
    private mutating func optionalNumbers(_ values: [Float?]) {
        let numbers = values.compactMap { $0 }
        if numbers.count == values.count { return numbers.withUnsafeBufferPointer { self.numbers($0) } }
        beginArray()
        for value in values {
            if let value { number(value) } else { null() }
        }
        endArray()
    }
}
