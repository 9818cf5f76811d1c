// The shortest decimal of a float32 that reads back to the same bits, by Schubfach: Raffaello Giulietti, "The Schubfach
// way to render doubles" (2020), with the word sizes of float32. No allocation, no loop, one table.

/// Shortest decimals of float32.
enum ShortestFloat {
    /// The number with the fewest digits inside the rounding interval of `value`; the nearest if there are several.
    ///
    /// - Parameter value: finite and greater than zero.
    /// - Returns: digits * 10^exponent; the digits may end with zeros.
    static func decimal(of value: Float) -> (digits: UInt32, exponent: Int) {
        let fraction = value.bitPattern & 0x007F_FFFF
        let biased = Int(value.bitPattern >> 23)
        let significand = biased == 0 ? fraction : fraction | 0x0080_0000
        let power = max(biased, 1) - 150  // value = significand * 2^power
        if let integer = smallInteger(significand, power) { return (integer, 0) }
        // At a power of two the gap below is half as wide as the one above.
        let isNarrowBelow = fraction == 0 && biased > 1
        return search(significand, power, isNarrowBelow: isNarrowBelow)
    }

    private static func smallInteger(_ significand: UInt32, _ power: Int) -> UInt32? {
        guard power <= 0, power > -24 else { return nil }
        let integer = significand >> UInt32(-power)
        return integer << UInt32(-power) == significand ? integer : nil
    }

    // The interval, in quarters of the unit 2^power, scaled by 10^-scale so that its width is between 1 and 10 digits'
    // units. Rounding to odd keeps the comparisons with its ends exact.
    private static func search(
        _ significand: UInt32, _ power: Int, isNarrowBelow: Bool
    ) -> (digits: UInt32, exponent: Int) {
        let scale = floorLog10(power: power, isNarrowBelow: isNarrowBelow)
        let shift = UInt32(power + floorLog2(powerOfTen: -scale) + 1)
        let factor = factors[-scale - smallestFactor]
        let center = 4 * significand
        let isEven = significand & 1 == 0  // then the ends of the interval also round to value
        let lower = roundToOdd(factor, (center - (isNarrowBelow ? 1 : 2)) << shift) + (isEven ? 0 : 1)
        let upper = roundToOdd(factor, (center + 2) << shift) - (isEven ? 0 : 1)
        let middle = roundToOdd(factor, center << shift)
        let whole = middle / 4

        // One digit fewer, if exactly one of the two candidates is inside the interval.
        let tens = whole / 10
        let isTensBelowInside = lower <= 40 * tens
        let isTensAboveInside = 40 * tens + 40 <= upper
        if whole >= 10, isTensBelowInside != isTensAboveInside {
            return (tens + (isTensAboveInside ? 1 : 0), scale + 1)
        }
        let isBelowInside = lower <= 4 * whole
        let isAboveInside = 4 * whole + 4 <= upper
        if isBelowInside != isAboveInside { return (whole + (isAboveInside ? 1 : 0), scale) }
        let half = 4 * whole + 2
        let roundsUp = middle > half || (middle == half && whole & 1 == 1)
        return (whole + (roundsUp ? 1 : 0), scale)
    }

    /// floor(log10(2^power)), or of 3/4 of it; exact for every power of a float32.
    private static func floorLog10(power: Int, isNarrowBelow: Bool) -> Int {
        (power * 1_262_611 - (isNarrowBelow ? 524_031 : 0)) >> 22
    }

    /// floor(log2(10^powerOfTen)); exact in the same range.
    private static func floorLog2(powerOfTen: Int) -> Int {
        (powerOfTen * 1_741_647) >> 19
    }

    /// The upper bits of factor * value / 2^64; the last bit tells whether any bits were cut off.
    @inline(__always)
    private static func roundToOdd(_ factor: UInt64, _ value: UInt32) -> UInt32 {
        let product = factor.multipliedFullWidth(by: UInt64(value))
        let isInexact = product.low >> 32 > 1
        return UInt32(truncatingIfNeeded: product.high) | (isInexact ? 1 : 0)
    }
}

// MARK: Powers of ten

extension ShortestFloat {
    private static let smallestFactor = -31
    private static let largestFactor = 45

    /// The first 64 bits of 10^k, rounded up, for k from `smallestFactor` to `largestFactor`.
    private static let factors: [UInt64] = (smallestFactor...largestFactor).map { exponent in
        exponent >= 0 ? leadingBits(ofPower: exponent) : leadingBits(ofReciprocal: -exponent)
    }

    private static func leadingBits(ofPower exponent: Int) -> UInt64 {
        // 10^k = 5^k * 2^k, and a power of two does not change the leading bits. 5^45 has 105 bits.
        let power = powerOfFive(exponent)
        let surplus = UInt128.bitWidth - power.leadingZeroBitCount - 64
        guard surplus > 0 else { return UInt64(power) << UInt64(-surplus) }
        return UInt64(power >> UInt128(surplus)) + 1
    }

    private static func leadingBits(ofReciprocal exponent: Int) -> UInt64 {
        // 5^31 has 72 bits: long division of 2^n gives the leading bits of its reciprocal, one by one.
        let divisor = powerOfFive(exponent)
        var remainder: UInt128 = 1 << UInt128(UInt128.bitWidth - divisor.leadingZeroBitCount - 1)
        var quotient: UInt64 = 0
        while quotient.leadingZeroBitCount > 0 {
            quotient <<= 1
            if remainder >= divisor {
                remainder -= divisor
                quotient |= 1
            }
            remainder <<= 1
        }
        return quotient + 1
    }

    private static func powerOfFive(_ exponent: Int) -> UInt128 {
        (0..<exponent).reduce(1) { power, _ in power * 5 }
    }
}
