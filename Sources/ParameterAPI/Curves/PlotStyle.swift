// The styles of a plot's series: a colour and a dash, in 36 combinations.

/// Colours, dashes and the style sheet of a plot.
enum PlotStyle {
    private static let dashes = ["", "8 4", "2 3", "12 3 2 3", "5 5", "1 4"]

    /// Colours that most colour-blind people can tell apart (Okabe and Ito), darkened or lightened for their page.
    private static let onLight = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#56b4e9"]
    private static let onDark = ["#56b4e9", "#ff9248", "#2dd4a0", "#f0a6cf", "#e6c84c", "#8ab4f8"]

    /// The attributes of a series' line.
    ///
    /// Each round of colours starts with the next dash.
    static func line(_ number: Int) -> String {
        let dash = dashes[(number + number / onLight.count) % dashes.count]
        return "class=\"line c\(number % onLight.count)\"" + (dash.isEmpty ? "" : " stroke-dasharray=\"\(dash)\"")
    }

    /// A mark for a single value: a line of length zero, of which the round ends remain.
    static func dot(_ number: Int, _ x: Double, _ y: Double) -> String {
        let (x, y) = (SVGText.number(x), SVGText.number(y))
        return "<line class=\"dot c\(number % onLight.count)\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(y)\" y2=\"\(y)\"/>"
    }

    static let sheet = """
        <style>
        text{fill:#656d76} .title{fill:#1f2328;font-size:16px;font-weight:600} .grid{stroke:#d8dee4} .page{fill:#ffffff}
        .line{fill:none;stroke-width:2.2;stroke-linejoin:round} .dot{stroke-width:9;stroke-linecap:round}
        \(colours(onLight))
        @media (prefers-color-scheme:dark){text{fill:#9198a1} .title{fill:#e6edf3} .grid{stroke:#30363d} .page{fill:#0d1117} \(colours(onDark))}
        </style>
        """

    private static func colours(_ colours: [String]) -> String {
        colours.enumerated().map { ".c\($0){stroke:\($1)}" }.joined(separator: " ")
    }
}
