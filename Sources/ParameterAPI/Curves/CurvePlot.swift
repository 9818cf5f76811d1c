// A curve as a self-contained picture: readable on light and dark pages, with lines that differ in dashes as well as
// colour, and a sentence for people who cannot see it.

/// A plot of a curve as SVG.
struct CurvePlot {
    private static let width = 760.0
    private static let frameHeight = 270.0
    private static let sides = (left: 78.0, right: 32.0, bottom: 52.0)
    /// The most points of a line: more than there are pixels would only make it larger.
    private static let mostPoints = 1500
    /// Series with a single step are drawn side by side, so that equal values do not hide each other.
    private static let dotDistance = 11.0

    private let curve: Curve
    private let title: String
    private let legend: PlotLegend
    private let x: Axis
    private let y: Axis

    init(_ curve: Curve, title: String) {
        self.curve = curve
        self.title = title
        legend = PlotLegend(curve, left: Self.sides.left, right: Self.width - Self.sides.right, top: 45)
        let values = curve.series.flatMap { $0.values.compactMap { $0.map(Double.init) } }.filter(\.isFinite)
        x = Axis(steps: curve.steps.first ?? 0, curve.steps.last ?? 0, ticks: 8)
        y = Axis(min(0, values.min() ?? 0), values.max() ?? 1, ticks: 6)
    }

    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(bottom + Self.sides.bottom))" role="img" aria-label="\(SVGText.escaped(sentence))" font-family="system-ui, sans-serif" font-size="13">
        \(PlotStyle.sheet)
        <rect class="page" width="100%" height="100%"/>
        <text class="title" x="\(Self.sides.left)" y="26">\(SVGText.escaped(SVGText.elided(title, to: 470)))</text>
        \(grid)
        \(curve.steps.count == 1 ? dots : lines)
        \(legend.svg)
        </svg>

        """
    }

    private var sentence: String {
        let parts = curve.series.map { series -> String in
            let values = series.values.compactMap { $0 }
            let name = series.name.isEmpty ? curve.quantity : series.name
            guard let first = values.first, let last = values.last else { return "\(name) makes its own rate" }
            return "\(name) goes from \(first) to \(last)"
        }
        let range = "over steps \(curve.steps.first ?? 0) to \(curve.steps.last ?? 0)"
        return "\(title): \(parts.joined(separator: ", ")) \(range)"
    }

    private var bottom: Double { legend.bottom + 13 + Self.frameHeight }

    private func left(_ value: Double) -> Double {
        Self.sides.left + x.position(value) * (Self.width - Self.sides.left - Self.sides.right)
    }

    private func top(_ value: Double) -> Double { bottom - y.position(value) * Self.frameHeight }

    private var grid: String {
        let right = Self.width - Self.sides.right
        let rows = y.ticks.map { tick in
            let level = SVGText.number(top(tick))
            return """
                <line class="grid" x1="\(Self.sides.left)" x2="\(right)" y1="\(level)" y2="\(level)"/>\
                <text x="\(Self.sides.left - 8)" y="\(SVGText.number(top(tick) + 4.5))" text-anchor="end">\(Axis.text(tick))</text>
                """
        }
        let columns = x.ticks.map { tick in
            "<text x=\"\(SVGText.number(left(tick)))\" y=\"\(bottom + 20)\" text-anchor=\"middle\">\(Axis.text(tick))</text>"
        }
        let label = "<text x=\"\(right)\" y=\"\(bottom + 40)\" text-anchor=\"end\">step</text>"
        return (rows + columns + [label]).joined(separator: "\n")
    }

    private var lines: String {
        curve.series.enumerated().map { number, series in
            "<polyline \(PlotStyle.line(number)) points=\"\(points(series.values))\"/>"
        }.joined(separator: "\n")
    }

    private var dots: String {
        let middle = left(Double(curve.steps[0]))
        let first = middle - Self.dotDistance * Double(curve.series.count - 1) / 2
        return curve.series.enumerated().compactMap { number, series in
            guard let value = series.values[0], value.isFinite else { return nil }
            let place = first + Self.dotDistance * Double(number)
            let isInside = (Self.sides.left...Self.width - Self.sides.right).contains(place)
            return PlotStyle.dot(number, isInside ? place : middle, top(Double(value)))
        }.joined(separator: "\n")
    }

    /// The line's points; for a long line, evenly chosen points including the last.
    private func points(_ values: [Float?]) -> String {
        let count = min(values.count, Self.mostPoints)
        return (0..<count).compactMap { place in
            let index = place * (values.count - 1) / (count - 1)
            return values[index].flatMap { value in
                guard value.isFinite else { return nil }
                return "\(SVGText.number(left(Double(curve.steps[index])))),\(SVGText.number(top(Double(value))))"
            }
        }.joined(separator: " ")
    }
}
