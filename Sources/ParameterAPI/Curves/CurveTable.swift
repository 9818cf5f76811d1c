// A curve as CSV: one row per step, one column per group. Source: RFC 4180.

/// A table of a curve.
struct CurveTable {
    private let curve: Curve

    init(_ curve: Curve) {
        self.curve = curve
    }

    var text: String {
        let names = curve.series.map { $0.name.isEmpty ? curve.quantity : $0.name }
        var text = (["step"] + names).map(Self.quoted).joined(separator: ",") + "\r\n"
        for (row, step) in curve.steps.enumerated() {
            let values = curve.series.map { $0.values[row].map { "\($0)" } ?? "" }
            text += "\(step)," + values.joined(separator: ",") + "\r\n"
        }
        return text
    }

    /// A field, in quotes if it needs them.
    static func quoted(_ field: String) -> String {
        guard field.utf8.contains(where: ",\"\r\n".utf8.contains) else { return field }
        return "\"" + field.parts(between: "\"", omittingEmpty: false).joined(separator: "\"\"") + "\""
    }
}
