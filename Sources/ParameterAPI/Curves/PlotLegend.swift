// The names of a plot's series in columns, in as many rows as needed; a long name is cut in its middle, because names
// of groups often differ at either end.

/// The legend of a plot.
struct PlotLegend {
    private static let rowHeight = 19.0
    private static let longest = 174.0
    private static let sample = 29.0
    private static let most = 36

    private let names: [String]
    /// A note after the name of a series without a line.
    private let notes: [String]
    private let isDots: Bool
    private let left: Double
    private let top: Double
    private let columns: Int
    private let columnWidth: Double

    /// Arranges the names between `left` and `right`; `top` is the first row's baseline.
    init(_ curve: Curve, left: Double, right: Double, top: Double) {
        names = curve.series.map { $0.name.isEmpty ? curve.quantity : $0.name }
        notes = curve.series.map { $0.values.allSatisfy { $0 == nil } ? " (own rate)" : "" }
        isDots = curve.steps.count == 1
        self.left = left
        self.top = top
        let widths = zip(names, notes).prefix(Self.most).map { SVGText.width($0 + $1) }
        let widest = min(Self.longest, widths.max() ?? 0)
        let wanted = Self.sample + widest + 18
        columns = max(1, Int((right - left + 18) / wanted))
        columnWidth = wanted
    }

    /// The baseline of the last row.
    var bottom: Double {
        let shown = min(names.count, Self.most)
        return top + Self.rowHeight * Double(max(0, (shown - 1) / columns))
    }

    var svg: String {
        let isCut = names.count > Self.most
        var rows = names.prefix(isCut ? Self.most - 1 : Self.most).enumerated().map(row)
        if isCut {
            let (x, y) = place(Self.most - 1)
            rows.append("<text x=\"\(x)\" y=\"\(y)\">and \(names.count - Self.most + 1) more</text>")
        }
        return rows.joined(separator: "\n")
    }

    private func row(_ number: Int, _ name: String) -> String {
        let (x, y) = place(number)
        let sample =
            isDots
            ? PlotStyle.dot(number, x + 19, y - 4)
            : "<line \(PlotStyle.line(number)) x1=\"\(x)\" x2=\"\(x + 24)\" y1=\"\(y - 4)\" y2=\"\(y - 4)\"/>"
        let shown = SVGText.elided(name, to: Self.longest - SVGText.width(notes[number]))
        let whole = shown == name ? "" : "<title>\(SVGText.escaped(name))</title>"
        let text = whole + SVGText.escaped(shown) + notes[number]
        return sample + "<text x=\"\(x + Self.sample)\" y=\"\(y)\">\(text)</text>"
    }

    private func place(_ number: Int) -> (x: Double, y: Double) {
        (
            SVGText.number(left + columnWidth * Double(number % columns)),
            top + Self.rowHeight * Double(number / columns)
        )
    }
}
