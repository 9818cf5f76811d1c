// How many places of a sweep a run tries.

import Foundation

/// The places of a sweep to try: all of them, or every `PARAMD_STRIDE`-th where time is short, as under a sanitizer.
public func sweep(_ places: Range<Int>) -> [Int] {
    let text = ProcessInfo.processInfo.environment["PARAMD_STRIDE"] ?? "1"
    return Array(stride(from: places.lowerBound, to: places.upperBound, by: max(1, Int(text) ?? 1)))
}
