// A curve for the terminal: one line of block characters per group, scaled to its smallest and largest value.

/// Sparklines of a curve.
struct Sparklines {
    private static let blocks = Array("▁▂▃▄▅▆▇█")
    private static let width = 60
    private let curve: Curve

    init(_ curve: Curve) {
        self.curve = curve
    }

    var text: String {
        let names = curve.series.map { $0.name.isEmpty ? curve.quantity : Self.printable($0.name) }
        let longest = names.map(\.count).max() ?? 0
        var text = "\(curve.quantity), steps \(curve.steps.first ?? 0) to \(curve.steps.last ?? 0)\n"
        for (name, series) in zip(names, curve.series) {
            let padded = name + String(repeating: " ", count: longest - name.count)
            text += "\(padded)  \(Self.line(series.values))\n"
        }
        return text
    }

    /// The name with spaces for control characters, which a terminal would obey.
    private static func printable(_ name: String) -> String {
        name.unicodeScalars.reduce(into: "") { text, scalar in
            text.unicodeScalars.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
    }

    private static func line(_ series: [Float?]) -> String {
        if series.allSatisfy({ $0 == nil }) { return "the rule makes its own rate" }
        let values = series.compactMap { $0 }.filter(\.isFinite)
        guard let low = values.min(), let high = values.max() else { return "beyond float32" }
        let columns = min(width, values.count)
        let drawn = (0..<columns).map { column in
            block(values[column * values.count / columns], low, high)
        }
        return String(drawn) + (low == high ? "  \(low)" : "  \(low) to \(high)")
    }

    private static func block(_ value: Float, _ low: Float, _ high: Float) -> Character {
        guard high > low else { return blocks[0] }
        let level = (Double(value) - Double(low)) / (Double(high) - Double(low)) * Double(blocks.count - 1)
        return blocks[max(0, min(blocks.count - 1, Int(level.rounded())))]
    }
}
