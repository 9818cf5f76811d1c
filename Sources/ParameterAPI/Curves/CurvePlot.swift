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
        :root{--ink:#1f2328;--dim:#656d76;--grid:#d8dee4;--page:#ffffff;--c0:#0072b2;--c1:#d55e00;--c2:#009e73;--c3:#cc79a7;--c4:#b58900;--c5:#56b4e9}
        @media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--grid:#30363d;--page:#0d1117;--c0:#56b4e9;--c1:#ff9248;--c2:#2dd4a0;--c3:#f0a6cf;--c4:#e6c84c;--c5:#8ab4f8}}
        text{fill:var(--dim)} .title{fill:var(--ink);font-size:16px;font-weight:600} .grid{stroke:var(--grid)} .line{fill:none;stroke-width:2.2;stroke-linejoin:round}
        </style>
        <rect width="100%" height="100%" fill="var(--page)"/>
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
            "<polyline class=\"line\" \(style(number)) points=\"\(points(series.values))\"/>"
        }.joined(separator: "\n")
    }

    private var legend: String {
        var offset = Self.frame.left
        return curve.series.enumerated().map { number, series in
            let name = series.name.isEmpty ? curve.quantity : series.name
            defer { offset += 44 + Double(name.count) * 7.6 }
            return """
                <line class="line" \(style(number)) x1="\(offset)" x2="\(offset + 24)" y1="41" y2="41"/>\
                <text x="\(offset + 29)" y="45">\(Self.escaped(name))</text>
                """
        }.joined(separator: "\n")
    }

    private func style(_ number: Int) -> String {
        "stroke=\"var(--c\(number % 6))\" stroke-dasharray=\"\(Self.dashes[number % Self.dashes.count])\""
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
