// One JSON number, byte by byte: slow and exact. Used for numbers that the end of a chunk splits, and for the rare ones
// that `FloatRun` cannot decide. Memory does not depend on the number of digits.

import Glibc

/// A partly read number: grammar state, significant digits and decimal exponent.
struct NumberText {
    /// The position in the grammar `-? int frac? exp?`.
    enum Step {
        case start, minus, zero, integer, point, fraction, e, exponentSign, exponent
    }

    /// The effect of a byte on the number.
    enum Acceptance {
        case taken, ended, malformed
    }

    // A float32 midpoint has at most 112 significant digits; beyond those only "is there more" matters.
    private static let digitLimit = 120

    private(set) var step = Step.start
    private(set) var isNegative = false
    private(set) var digits: [UInt8] = []
    private(set) var isDigitDropped = false
    private var scale = 0  // the decimal exponent from the positions of the digits
    private var exponent = 0
    private var isExponentNegative = false

    mutating func reset() {
        step = .start
        isNegative = false
        digits.removeAll(keepingCapacity: true)
        isDigitDropped = false
        scale = 0
        exponent = 0
        isExponentNegative = false
    }

    /// The power of ten to multiply the digits by.
    var power: Int { scale + (isExponentNegative ? -exponent : exponent) }

    /// Whether the number has neither fraction nor exponent.
    var isInteger: Bool { step == .zero || step == .integer }

    /// Whether the number is complete if it ends here.
    var isComplete: Bool {
        switch step {
        case .zero, .integer, .fraction, .exponent: true
        default: false
        }
    }

    /// Adds a byte, or says why it cannot continue the number.
    mutating func accept(_ byte: UInt8) -> Acceptance {
        let digit = byte &- UInt8(ascii: "0")
        if digit <= 9 { return accept(digit: digit) }
        switch (step, byte) {
        case (.start, UInt8(ascii: "-")):
            isNegative = true
            step = .minus
        case (.zero, UInt8(ascii: ".")), (.integer, UInt8(ascii: ".")):
            step = .point
        case (.zero, UInt8(ascii: "e")), (.integer, UInt8(ascii: "e")), (.fraction, UInt8(ascii: "e")),
            (.zero, UInt8(ascii: "E")), (.integer, UInt8(ascii: "E")), (.fraction, UInt8(ascii: "E")):
            step = .e
        case (.e, UInt8(ascii: "-")), (.e, UInt8(ascii: "+")):
            isExponentNegative = byte == UInt8(ascii: "-")
            step = .exponentSign
        default:
            return isComplete ? .ended : .malformed
        }
        return .taken
    }

    private mutating func accept(digit: UInt8) -> Acceptance {
        switch step {
        case .start, .minus:
            step = digit == 0 ? .zero : .integer
            keep(digit)
        case .zero: return .malformed
        case .integer: keep(digit)
        case .point, .fraction:
            step = .fraction
            scale -= 1
            keep(digit)
        case .e, .exponentSign, .exponent:
            step = .exponent
            exponent = min(exponent * 10 + Int(digit), 1 << 50)
        }
        return .taken
    }

    private mutating func keep(_ digit: UInt8) {
        if digits.isEmpty, digit == 0 { return }
        guard digits.count < Self.digitLimit else {
            scale += 1
            if digit != 0 { isDigitDropped = true }
            return
        }
        digits.append(digit)
    }

    /// The nearest float32, ties to even; infinite beyond its range.
    var float: Float { nearest { strtof($0, nil) } }

    /// The nearest double, up to an error of one unit in its last place; infinite beyond its range.
    var double: Double { nearest { strtod($0, nil) } }

    private func nearest<Number: BinaryFloatingPoint>(_ convert: (UnsafePointer<CChar>) -> Number) -> Number {
        guard !digits.isEmpty else { return isNegative ? -0.0 : 0 }
        let power = power
        let magnitude = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Self.digitLimit + 16) {
            text -> Number in
            guard let start = text.baseAddress else { return .nan }
            writeText(power: max(-9_999_999, min(9_999_999, power)), into: start)
            return convert(start)
        }
        return isNegative ? -magnitude : magnitude
    }

    /// Writes the digits and an exponent for strtof and strtod.
    ///
    /// Without a decimal point, because they read the locale's.
    private func writeText(power: Int, into text: UnsafeMutablePointer<CChar>) {
        var end = text
        func append(_ character: UInt8) {
            end.pointee = CChar(character)
            end += 1
        }
        for digit in digits { append(UInt8(ascii: "0") + digit) }
        if isDigitDropped { append(UInt8(ascii: "1")) }
        append(UInt8(ascii: "e"))
        var rest = power - (isDigitDropped ? 1 : 0)
        if rest < 0 { append(UInt8(ascii: "-")) }
        var place = 10_000_000
        rest = abs(rest)
        while place > 0 {
            append(UInt8(ascii: "0") + UInt8(rest / place % 10))
            place /= 10
        }
        append(0)
    }

}

extension JSONLexer {
    mutating func continueNumber() throws(JSONError) -> JSONToken? {
        partial = .number
        while position < end {
            switch number.accept(position.pointee) {
            case .taken: position += 1
            case .ended: return try endNumber()
            case .malformed: throw error(reasonAgainstNumber(position.pointee))
            }
        }
        return nil
    }

    mutating func endNumber() throws(JSONError) -> JSONToken {
        guard number.isComplete else { throw error(.truncated(inside: "a number")) }
        endValue()
        return .number
    }

    private func reasonAgainstNumber(_ byte: UInt8) -> JSONError.Reason {
        switch byte {
        case 0: .nul
        case UInt8(ascii: "I"), UInt8(ascii: "N"): .notFinite
        default: .invalidNumber
        }
    }
}

extension NumberText {
    /// Whether the number has no fraction, in any notation.
    var isWhole: Bool {
        let zeros = -power
        guard !digits.isEmpty, zeros > 0 else { return isComplete }
        return isComplete && !isDigitDropped && zeros < digits.count && digits.suffix(zeros).allSatisfy { $0 == 0 }
    }

    /// The magnitude of a whole number; nil for fractions and values beyond 64 bits.
    private var magnitude: UInt64? {
        guard isWhole, !isDigitDropped, digits.isEmpty || power < 20 else { return nil }
        if digits.isEmpty { return 0 }
        var value: UInt64 = 0
        for digit in digits.dropLast(max(0, -power)) + repeatElement(0, count: max(0, power)) {
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(UInt64(digit))
            if tooLarge || overflow { return nil }
            value = sum
        }
        return value
    }

    /// The value of a whole number in any notation; nil for fractions and values beyond 64 bits.
    var integer: Int? {
        guard let magnitude else { return nil }
        guard isNegative else { return Int(exactly: magnitude) }
        return magnitude <= Int.min.magnitude ? Int(truncatingIfNeeded: 0 &- magnitude) : nil
    }

    /// Whether the number fits a 64-bit integer without losing its value or the sign of a zero.
    var fitsInteger: Bool {
        isNegative && digits.isEmpty ? false : integer != nil
    }

    /// Whether a whole number equals its float32 `value`.
    func equals(_ value: Float) -> Bool {
        magnitude.map { UInt64(exactly: value.magnitude) == $0 } ?? false
    }

    /// The number for a message, shortened if it is long.
    var text: String {
        let sign = isNegative ? "-" : ""
        if let magnitude { return "\(sign)\(magnitude)" }
        let shown = digits.prefix(40).map(String.init).joined()
        let exponent = power + digits.count
        if (1...digits.count).contains(exponent), exponent < shown.count {
            return "\(sign)\(shown.prefix(exponent)).\(shown.dropFirst(exponent))"
        }
        if exponent == 0 { return "\(sign)0.\(shown)" }
        return "\(sign)\(shown.prefix(1)).\(shown.dropFirst().isEmpty ? "0" : shown.dropFirst())e\(exponent - 1)"
    }

    /// Whether any number in the text has a fraction other than 0, or an exponent, which may produce one.
    static func hasFraction(from start: UnsafePointer<UInt8>, to end: UnsafePointer<UInt8>) -> Bool {
        var isInFraction = false
        for byte in UnsafeBufferPointer(start: start, count: end - start) {
            switch byte {
            case UInt8(ascii: "."): isInFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"): return true
            case UInt8(ascii: "1")...UInt8(ascii: "9"): if isInFraction { return true }
            case UInt8(ascii: "0"): break
            default: isInFraction = false
            }
        }
        return false
    }
}
