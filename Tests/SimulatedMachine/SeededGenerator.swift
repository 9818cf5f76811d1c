// Reproducible randomness: a randomised test that failed can be run again with its seed.

import Glibc

extension [UInt8] {
    /// Random bytes.
    package static func random(count: Int, using generator: inout SeededGenerator) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            for offset in stride(from: 0, to: count, by: 8) {
                Swift.withUnsafeBytes(of: generator.next()) { word in
                    if let to = memory.baseAddress, let from = word.baseAddress {
                        memcpy(to + offset, from, Swift.min(8, count - offset))
                    }
                }
            }
            filled = count
        }
    }
}

/// The same numbers for the same seed on every machine (SplitMix64, Steele and others 2014).
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
