// Sizes as people write them.

import ArgumentParser
import Glibc

/// A number of bytes: `1073741824`, `512M`, `2G`.
struct ByteCount: ExpressibleByArgument, Sendable {
    let bytes: Int

    init(bytes: Int) {
        self.bytes = bytes
    }

    init?(argument: String) {
        let units: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
        let unit = argument.last.flatMap { units[Character($0.uppercased())] }
        guard let number = Int(unit == nil ? argument : String(argument.dropLast())), number > 0 else { return nil }
        let (bytes, overflows) = number.multipliedReportingOverflow(by: 1 << (unit ?? 0))
        guard !overflows else { return nil }
        self.bytes = bytes
    }

    /// In the largest unit that divides it.
    var defaultValueDescription: String {
        for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] where bytes & (1 << shift - 1) == 0 {
            return "\(bytes >> shift)\(unit)"
        }
        return "\(bytes)"
    }

    /// Half of the machine's memory.
    static var halfOfMachine: ByteCount {
        ByteCount(bytes: sysconf(Int32(_SC_PHYS_PAGES)) / 2 * sysconf(Int32(_SC_PAGESIZE)))
    }
}
