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
        self.init(low, high, unit: Self.unit(span / Double(max(1, count))))
    }

    /// An axis of steps, which are whole numbers; a single step is in the middle.
    init(steps low: Int, _ high: Int, ticks count: Int) {
        guard low < high else {
            self.init(low: Double(low) - 1, high: Double(low) + 1, ticks: [Double(low)])
            return
        }
        let span = Double(high) - Double(low)
        self.init(Double(low), Double(high), unit: max(1, Self.unit(span / Double(max(1, count)))))
    }

    private init(_ low: Double, _ high: Double, unit: Double) {
        let first = floor(low / unit) * unit
        let last = max(ceil(high / unit) * unit, first + unit)
        let ticks = (0...Int(((last - first) / unit).rounded())).map { first + Double($0) * unit }
        self.init(low: first, high: last, ticks: ticks)
    }

    private init(low: Double, high: Double, ticks: [Double]) {
        self.low = low
        self.high = high
        self.ticks = ticks
    }

    /// The smallest of 1, 2 and 5 times a power of ten that is at least `rough`.
    private static func unit(_ rough: Double) -> Double {
        let power = pow(10, floor(log10(rough)))
        return ([1.0, 2, 5, 10].first { $0 * power >= rough } ?? 10) * power
    }

    /// The position of a value: 0 at the low end, 1 at the high one.
    func position(_ value: Double) -> Double { (value - low) / (high - low) }

    /// A tick's text, without the noise of binary fractions; large round numbers as powers of ten.
    static func text(_ value: Double) -> String {
        if value == 0 { return "0" }
        let digits = 6.0 - floor(log10(abs(value)))
        let scale = pow(10, digits)
        let rounded = (value * scale).rounded() / scale
        guard rounded == rounded.rounded() else { return "\(rounded)" }
        let whole = abs(rounded) < 1e15 ? "\(Int(rounded))" : "\(rounded)"
        guard abs(rounded) >= 1e6 else { return whole }
        let power = floor(log10(abs(rounded)))
        let short = "\(text(rounded / pow(10, power)))e\(Int(power))"
        return short.count < whole.count ? short : whole
    }
}
