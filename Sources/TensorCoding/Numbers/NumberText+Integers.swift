// The exact integer value of a JSON number: 1.0 and 10e-1 are 1. For shapes, indices, and tensors that must contain
// integers.

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
