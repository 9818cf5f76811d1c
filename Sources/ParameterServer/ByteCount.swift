// Sizes as people write them.

import HTTPServing

/// A number of bytes: `1073741824`, `512M`, `2G`, `2GB`, `2GiB`; every unit is a power of 1024.
struct ByteCount: CustomStringConvertible, Sendable {
    let bytes: Int

    /// 1024T: sums and products of sizes do not overflow.
    private static let most = 1 << 50

    init(bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        let digits = argument.prefix { $0.isASCII && $0.isWholeNumber }
        let unit = argument.dropFirst(digits.count).uppercased()
        guard let number = Int(digits: digits), number > 0, let shift = Self.shift(of: unit) else { return nil }
        let (bytes, overflows) = number.multipliedReportingOverflow(by: 1 << shift)
        guard !overflows, bytes <= Self.most else { return nil }
        self.bytes = bytes
    }

    /// The power of two of a unit: `K`, `KB` and `KIB` are the same.
    private static func shift(of unit: String) -> Int? {
        let shifts = ["": 0, "B": 0, "K": 10, "M": 20, "G": 30, "T": 40]
        if let shift = shifts[unit] { return shift }
        guard unit.count > 1, let letter = unit.first, ["B", "IB"].contains(unit.dropFirst()) else { return nil }
        return shifts[String(letter)]
    }

    /// The number in the largest unit that divides it.
    var description: String {
        for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] where bytes & (1 << shift - 1) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return "\(bytes)"
    }

    /// Rounded to three digits and a unit.
    var rounded: String {
        for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] where bytes >= 1 << shift {
            let tenths = (bytes * 10) >> shift
            return tenths % 10 == 0 || tenths >= 1000 ? "\(tenths / 10)\(unit)" : "\(tenths / 10).\(tenths % 10)\(unit)"
        }
        return "\(bytes)"
    }
}
