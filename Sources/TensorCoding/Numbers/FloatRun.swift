// The hot loop of a push: runs of "number, number, ..." inside one chunk, converted straight to float32. Anything
// unusual is left to `JSONLexer` and `NumberText`.

/// Powers of ten from 10^0 to 10^66 as the nearest doubles: enough for 18 digits and any float32.
enum PowersOfTen {
    static let count = 67

    // Filled before its first use and not written afterwards.
    nonisolated(unsafe) static let table: UnsafePointer<Double> = {
        let powers = UnsafeMutablePointer<Double>.allocate(capacity: count)
        for exponent in 0..<count { powers[exponent] = Double("1e\(exponent)") ?? .infinity }
        return UnsafePointer(powers)
    }()
}

/// A reader for numbers that are complete within a chunk.
struct FloatRun {
    /// The next byte to read.
    private(set) var position: UnsafePointer<UInt8>
    /// The last byte of the chunk that cannot be part of a number, so digit loops need no bounds check.
    private let sentinel: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private let powers = PowersOfTen.table

    /// What is at `position`.
    enum Outcome {
        /// A value is expected: either the chunk cuts it, or the exact reader must read it.
        case value
        /// A value has been read, and no comma follows.
        case separator
    }

    /// A run that starts at `position`; nil if no number ends within the chunk.
    init?(from position: UnsafePointer<UInt8>, to end: UnsafePointer<UInt8>) {
        var last = end - 1
        while last > position, Self.isPartOfNumber(last.pointee) { last -= 1 }
        guard last > position else { return nil }
        self.position = position
        self.end = end
        sentinel = last
    }

    /// Whether a number can still end within the chunk.
    var hasMore: Bool { position < sentinel }

    private static func isPartOfNumber(_ byte: UInt8) -> Bool {
        byte &- 0x30 <= 9 || byte | 0x20 == 0x65 || byte == 0x2D || byte == 0x2E || byte == 0x2B
    }

    /// Reads at most `room` numbers and the commas between them.
    ///
    /// - Returns: the count of numbers written to `output`, and what is at `position` then.
    mutating func read(into output: UnsafeMutablePointer<Float>, room: Int) -> (count: Int, next: Outcome) {
        var count = 0
        var cursor = position
        defer { position = cursor }
        while count < room, cursor < sentinel {
            guard let value = number(&cursor) else { return (count, .value) }
            output[count] = value
            count += 1
            guard cursor.pointee == 0x2C else { return (count, .separator) }
            cursor += 1
            if cursor < sentinel, cursor.pointee == 0x20 { cursor += 1 }
        }
        return (count, .value)
    }

    /// The nearest float32 of the number at `cursor`, which advances past it; nil leaves `cursor` unchanged.
    @inline(__always)
    private func number(_ cursor: inout UnsafePointer<UInt8>) -> Float? {
        var next = cursor
        let isNegative = next.pointee == 0x2D
        if isNegative { next += 1 }
        var mantissa: UInt64 = 0
        var digits = 0
        guard integerPart(&next, &mantissa, &digits) else { return nil }
        var scale = 0
        if next.pointee == 0x2E {
            guard fraction(&next, &mantissa, &digits, &scale) else { return nil }
        }
        guard digits <= 18 else { return nil }
        if next.pointee | 0x20 == 0x65 {
            guard exponent(&next, &scale) else { return nil }
        }
        guard let magnitude = nearestFloat(mantissa, scale) else { return nil }
        cursor = next
        return isNegative ? -magnitude : magnitude
    }

    @inline(__always)
    private func integerPart(_ next: inout UnsafePointer<UInt8>, _ mantissa: inout UInt64, _ digits: inout Int) -> Bool
    {
        let first = next.pointee &- 0x30
        guard first <= 9 else { return false }
        next += 1
        var digit = next.pointee &- 0x30
        if first == 0 { return digit > 9 }
        let start = next
        mantissa = UInt64(first)
        while digit <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(digit)
            next += 1
            digit = next.pointee &- 0x30
        }
        digits = 1 + (next - start)
        return true
    }

    @inline(__always)
    private func fraction(
        _ next: inout UnsafePointer<UInt8>, _ mantissa: inout UInt64, _ digits: inout Int, _ scale: inout Int
    ) -> Bool {
        next += 1
        let start = next
        if mantissa == 0 {
            while next.pointee == 0x30 { next += 1 }
        }
        let firstSignificant = next
        while let eight = eightDigits(at: next) {
            mantissa = mantissa &* 100_000_000 &+ eight
            next += 8
        }
        var digit = next.pointee &- 0x30
        while digit <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(digit)
            next += 1
            digit = next.pointee &- 0x30
        }
        digits += next - firstSignificant
        scale = start - next
        return next > start
    }

    @inline(__always)
    private func exponent(_ next: inout UnsafePointer<UInt8>, _ scale: inout Int) -> Bool {
        next += 1
        let isNegative = next.pointee == 0x2D
        if isNegative || next.pointee == 0x2B { next += 1 }
        let start = next
        var value = 0
        var digit = next.pointee &- 0x30
        while digit <= 9, next - start < 4 {
            value = value * 10 + Int(digit)
            next += 1
            digit = next.pointee &- 0x30
        }
        scale += isNegative ? -value : value
        return next > start && digit > 9
    }

    /// The value of eight ASCII digits; nil if there are fewer.
    ///
    /// SIMD within a register: combines pairs, then fours, then all.
    @inline(__always)
    private func eightDigits(at pointer: UnsafePointer<UInt8>) -> UInt64? {
        guard end - pointer >= 8 else { return nil }
        var word = UInt64(littleEndian: UnsafeRawPointer(pointer).loadUnaligned(as: UInt64.self))
        let high = word & 0xF0F0_F0F0_F0F0_F0F0
        let carried = (word &+ 0x0606_0606_0606_0606) & 0xF0F0_F0F0_F0F0_F0F0
        guard high | carried >> 4 == 0x3333_3333_3333_3333 else { return nil }
        word &-= 0x3030_3030_3030_3030
        word = word &* 10 &+ word >> 8
        let pairs: UInt64 = 0x0000_00FF_0000_00FF
        return ((word & pairs) &* 0x000F_4240_0000_0064 &+ (word >> 16 & pairs) &* 0x0000_2710_0000_0001) >> 32
    }

    /// The nearest float32 of mantissa * 10^scale, if a double determines it.
    ///
    /// The double is off by less than 2 units in its last place. Rounding it to float32 is wrong only if it is that
    /// close to the midpoint of two floats. Within 4 units of a midpoint, and at the upper end of the range, the exact
    /// reader decides.
    @inline(__always)
    private func nearestFloat(_ mantissa: UInt64, _ scale: Int) -> Float? {
        if mantissa == 0 { return 0 }
        guard scale > -PowersOfTen.count, scale < PowersOfTen.count else { return nil }
        let whole = Double(Int64(truncatingIfNeeded: mantissa))
        let value = scale < 0 ? whole / powers[-scale] : whole * powers[scale]
        let belowFloat = value.bitPattern & 0x1FFF_FFFF
        let isNearMidpoint = belowFloat &- (0x1000_0000 - 4) <= 8
        if value < 0x1p-126 { return nearestSubnormal(value) }
        guard !isNearMidpoint, value < 0x1.fffffep127 else { return nil }
        return Float(value)
    }

    // Below the normal range the midpoints differ, so both ends of the error interval must give the same float.
    private func nearestSubnormal(_ value: Double) -> Float? {
        let low = Float(value * (1 - 0x1p-50))
        return low == Float(value * (1 + 0x1p-50)) ? low : nil
    }
}
