// A curve as a picture that stands alone: readable on light and dark pages, told apart by dashes as well as by colour,
// and with a sentence for those who do not see it.

/// A plot of a curve as SVG.
struct CurvePlot {
    private static let width = 760.0
    private static let height = 380.0
    private static let frame = (left: 78.0, right: 24.0, top: 52.0, bottom: 52.0)
    /// A line has at most this many points: more than there are pixels would only be heavier.
    private static let mostPoints = 1500
    private static let dashes = ["", "8 4", "2 3", "12 3 2 3", "5 5", "1 4"]

    /// Colours that most colour-blind people can tell apart (Okabe and Ito), darkened or lightened for their page.
    private static let onLight = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9"]
    private static let onDark = ["#56b4e9", "#ff9248", "#2dd4a0", "#f0a6cf", "#e6c84c", "#8ab4f8"]

    private let curve: Curve
    private let title: String
    private let x: Axis
    private let y: Axis

    init(_ curve: Curve, title: String) {
        self.curve = curve
        self.title = title
        let values = curve.series.flatMap { $0.values.compactMap { $0.map(Double.init) } }
        x = Axis(Double(curve.steps.first ?? 0), Double(curve.steps.last ?? 0), ticks: 8)
        y = Axis(min(0, values.min() ?? 0), values.max() ?? 1, ticks: 6)
    }

    var svg: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" role="img" aria-label="\(Self.escaped(sentence))" font-family="system-ui, sans-serif" font-size="13">
        <style>
        text{fill:#656d76} .title{fill:#1f2328;font-size:16px;font-weight:600} .grid{stroke:#d8dee4} .page{fill:#ffffff}
        .line{fill:none;stroke-width:2.2;stroke-linejoin:round}
        \(Self.colours(Self.onLight))
        @media (prefers-color-scheme:dark){text{fill:#9198a1} .title{fill:#e6edf3} .grid{stroke:#30363d} .page{fill:#0d1117} \(Self.colours(Self.onDark))}
        </style>
        <rect class="page" width="100%" height="100%"/>
        <text class="title" x="\(Self.frame.left)" y="26">\(Self.escaped(title))</text>
        \(grid)
        \(lines)
        \(legend)
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

    private func left(_ value: Double) -> Double {
        Self.frame.left + x.position(value) * (Self.width - Self.frame.left - Self.frame.right)
    }

    private func top(_ value: Double) -> Double {
        Self.height - Self.frame.bottom - y.position(value) * (Self.height - Self.frame.top - Self.frame.bottom)
    }

    private var grid: String {
        let right = Self.width - Self.frame.right
        let bottom = Self.height - Self.frame.bottom
        let rows = y.ticks.map { tick in
            let level = Self.rounded(top(tick))
            return """
                <line class="grid" x1="\(Self.frame.left)" x2="\(right)" y1="\(level)" y2="\(level)"/>\
                <text x="\(Self.frame.left - 8)" y="\(Self.rounded(top(tick) + 4.5))" text-anchor="end">\(Axis.text(tick))</text>
                """
        }
        let columns = x.ticks.map { tick in
            "<text x=\"\(Self.rounded(left(tick)))\" y=\"\(bottom + 20)\" text-anchor=\"middle\">\(Axis.text(tick))</text>"
        }
        let label = "<text x=\"\(right)\" y=\"\(bottom + 40)\" text-anchor=\"end\">step</text>"
        return (rows + columns + [label]).joined(separator: "\n")
    }

    private var lines: String {
        curve.series.enumerated().map { number, series in
            "<polyline \(style(number)) points=\"\(points(series.values))\"/>"
        }.joined(separator: "\n")
    }

    private var legend: String {
        var offset = Self.frame.left
        return curve.series.enumerated().map { number, series in
            let name = series.name.isEmpty ? curve.quantity : series.name
            defer { offset += 44 + Double(name.count) * 7.6 }
            return """
                <line \(style(number)) x1="\(offset)" x2="\(offset + 24)" y1="41" y2="41"/>\
                <text x="\(offset + 29)" y="45">\(Self.escaped(name))</text>
                """
        }.joined(separator: "\n")
    }

    private func style(_ number: Int) -> String {
        let dash = Self.dashes[number % Self.dashes.count]
        return "class=\"line c\(number % Self.onLight.count)\"" + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")
    }

    /// The line's points; of a long line evenly chosen ones, the last always among them.
    private func points(_ values: [Float?]) -> String {
        let count = min(values.count, Self.mostPoints)
        return (0..<count).compactMap { place in
            let index = count == 1 ? 0 : place * (values.count - 1) / (count - 1)
            return values[index].map {
                "\(Self.rounded(left(Double(curve.steps[index])))),\(Self.rounded(top(Double($0))))"
            }
        }.joined(separator: " ")
    }

    private static func colours(_ colours: [String]) -> String {
        colours.enumerated().map { ".c\($0){stroke:\($1)}" }.joined(separator: " ")
    }

    private static func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
