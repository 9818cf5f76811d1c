// The forms of a curve: chosen by the path's suffix, or else by the Accept header; JSON without either.

import HTTPServing
import Names
import TensorCoding

/// How a curve is answered.
enum CurveForm: String, CaseIterable {
    case json
    case csv
    case svg
    case txt

    /// The suffixes that paths of curves may carry.
    static let suffixes = allCases.map(\.rawValue)

    /// The form that the path's suffix names, or else the Accept header.
    init(_ call: Call) throws(Problem) {
        if let suffix = call.suffix, let named = CurveForm(rawValue: suffix) {
            self = named
            return
        }
        self = try call.accepted([
            Offer(.json, "application/json", "text/html", "application/problem+json"),
            Offer(.csv, "text/csv"), Offer(.svg, "image/svg+xml"), Offer(.txt, "text/plain"),
        ])
    }

    /// The answer with the curve.
    func response(for curve: Curve, title: String, _ call: Call) -> Response {
        switch self {
        case .json: .json(indented: call.isIndented) { $0.curve(curve) }
        case .csv: .text(CurveTable(curve).text, type: "text/csv; charset=utf-8")
        case .svg: .text(CurvePlot(curve, title: title).svg, type: "image/svg+xml")
        case .txt: .text(Sparklines(curve).text)
        }
    }
}

extension JSONWriter {
    /// Writes `{"steps":[...],"lr":{"group":[...]}}`, or `"lr":[...]` for a curve of one series without a name.
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

    /// Writes an array of numbers on one line; null where there is none.
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
