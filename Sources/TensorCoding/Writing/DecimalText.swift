// Turns decimal digits and an exponent into the text of a JSON number, laid out like JavaScript. `ShortestFloat`
// provides the digits of float32, the standard library those of doubles.

/// Numbers as JSON text.
enum DecimalText {
    /// The longest text of a float32: sign and 21 digits, or sign, point, nine digits and exponent.
    static let floatLimit = 24

    /// Writes `value` at `output`.
    ///
    /// - Returns: the end of the text; at most `floatLimit` bytes.
    static func write(_ value: Float, to output: UnsafeMutablePointer<UInt8>) -> UnsafeMutablePointer<UInt8> {
        guard value.isFinite else { return write("null", to: output) }
        guard value != 0 else { return write(value.sign == .minus ? "-0.0" : "0", to: output) }
        var end = output
        if value < 0 {
            end[0] = UInt8(ascii: "-")
            end += 1
        }
        let decimal = ShortestFloat.decimal(of: value.magnitude)
        return layOut(UInt64(decimal.digits), decimal.exponent, to: end)
    }

    /// Appends `value` to `output`.
    static func append(_ value: Double, to output: inout [UInt8]) {
        guard value.isFinite else { return output.append(contentsOf: "null".utf8) }
        guard value != 0 else { return output.append(contentsOf: (value.sign == .minus ? "-0.0" : "0").utf8) }
        if value < 0 { output.append(UInt8(ascii: "-")) }
        let (digits, exponent) = shortestDecimal(of: value.magnitude)
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 32) { buffer in
            guard let start = buffer.baseAddress else { return }
            let end = layOut(digits, exponent, to: start)
            output.append(contentsOf: UnsafeBufferPointer(start: start, count: end - start))
        }
    }

    /// The digits of the standard library's shortest text, as an integer, and their power of ten.
    private static func shortestDecimal(of value: Double) -> (digits: UInt64, exponent: Int) {
        let text = value.description
        let parts = text.split(separator: "e")
        var digits: UInt64 = 0
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        var isFraction = false
        for byte in parts[0].utf8 {
            if byte == UInt8(ascii: ".") {
                isFraction = true
            } else {
                digits = digits * 10 + UInt64(byte - UInt8(ascii: "0"))
                if isFraction { exponent -= 1 }
            }
        }
        return (digits, exponent)
    }

    private static func write(
        _ text: StaticString, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        output.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        return output + text.utf8CodeUnitCount
    }
}

// MARK: Layout

extension DecimalText {
    /// Writes digits * 10^exponent as ECMAScript's Number::toString lays it out.
    private static func layOut(
        _ digits: UInt64, _ exponent: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        var digits = digits
        var exponent = exponent
        while digits % 10 == 0 {
            digits /= 10
            exponent += 1
        }
        let count = digitCount(digits)
        let point = count + exponent  // digits before the decimal point
        switch point {
        case count...21: return writeInteger(digits, count, zeros: exponent, to: output)
        case 1..<count: return writeFraction(digits, count, point: point, to: output)
        case -5...0: return writeSmall(digits, count, zeros: -point, to: output)
        default: return writeExponential(digits, count, exponent: point - 1, to: output)
        }
    }

    /// Decimal digits of a value below 10^18.
    private static func digitCount(_ value: UInt64) -> Int {
        var count = 1
        var bound: UInt64 = 10
        while value >= bound {
            bound *= 10
            count += 1
        }
        return count
    }

    private static let pairs: StaticString = """
        00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354\
        555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899
        """

    /// Writes exactly `count` digits, two at a time from the last.
    @inline(__always)
    private static func writeDigits(_ digits: UInt64, _ count: Int, to output: UnsafeMutablePointer<UInt8>) {
        let pairs = pairs.utf8Start
        var rest = digits
        var place = count
        while place >= 2 {
            let pair = 2 * Int(truncatingIfNeeded: rest % 100)
            rest /= 100
            place -= 2
            output[place] = pairs[pair]
            output[place + 1] = pairs[pair + 1]
        }
        if place == 1 { output[0] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest) }
    }

    private static func writeInteger(
        _ digits: UInt64, _ count: Int, zeros: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        writeDigits(digits, count, to: output)
        (output + count).update(repeating: UInt8(ascii: "0"), count: zeros)
        return output + count + zeros
    }

    private static func writeFraction(
        _ digits: UInt64, _ count: Int, point: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        writeDigits(digits, count, to: output + 1)
        output.update(from: output + 1, count: point)
        output[point] = UInt8(ascii: ".")
        return output + count + 1
    }

    private static func writeSmall(
        _ digits: UInt64, _ count: Int, zeros: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        output.update(repeating: UInt8(ascii: "0"), count: zeros + 2)
        output[1] = UInt8(ascii: ".")
        writeDigits(digits, count, to: output + zeros + 2)
        return output + zeros + 2 + count
    }

    private static func writeExponential(
        _ digits: UInt64, _ count: Int, exponent: Int, to output: UnsafeMutablePointer<UInt8>
    ) -> UnsafeMutablePointer<UInt8> {
        var end =
            count == 1
            ? writeInteger(digits, count, zeros: 0, to: output) : writeFraction(digits, count, point: 1, to: output)
        end[0] = UInt8(ascii: "e")
        end[1] = exponent < 0 ? UInt8(ascii: "-") : UInt8(ascii: "+")
        end += 2
        let magnitude = UInt64(exponent.magnitude)
        return writeInteger(magnitude, digitCount(magnitude), zeros: 0, to: end)
    }
}
