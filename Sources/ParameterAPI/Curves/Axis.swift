// Round numbers for an axis.

import Glibc

/// An axis from a smallest to a largest value with ticks at round numbers.
struct Axis {
    let low: Double
    let high: Double
    let ticks: [Double]

    /// An axis that covers `low...high` with about `count` ticks, at 1, 2 or 5 times a power of ten.
    init(_ low: Double, _ high: Double, ticks count: Int) {
        let span = high > low ? high - low : max(abs(high), 1)
        let rough = span / Double(max(1, count))
        let power = pow(10, floor(log10(rough)))
        let factor = [1.0, 2, 5, 10].first { $0 * power >= rough } ?? 10
        let unit = factor * power
        let first = floor(low / unit) * unit
        let last = max(ceil(high / unit) * unit, first + unit)
        self.low = first
        self.high = last
        ticks = (0...Int(((last - first) / unit).rounded())).map { first + Double($0) * unit }
    }

    /// Where a value lies: 0 at the low end, 1 at the high one.
    func position(_ value: Double) -> Double { (value - low) / (high - low) }

    /// A tick's text, without the noise of binary fractions.
    static func text(_ value: Double) -> String {
        if value == 0 { return "0" }
        let digits = 6.0 - floor(log10(abs(value)))
        let scale = pow(10, digits)
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() && abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
    }
}
