// The valid names of workers, in a path, a header or a body.

import Names

/// The rule for names of workers.
enum WorkerName {
    /// The rule in words.
    static let rule =
        "1 to \(FixedLimits.nameBytes) bytes of UTF-8 without spaces or control characters, other than . and .."

    /// Whether `name` follows the rule.
    ///
    /// Bytes that are not UTF-8 have been replaced by U+FFFD before.
    static func isValid(_ name: String) -> Bool {
        (1...FixedLimits.nameBytes).contains(name.utf8.count) && !Name(name).isPathStep
            && name.unicodeScalars.allSatisfy { scalar in
                scalar.value > 0x20 && !(0x7f...0xa0).contains(scalar.value) && scalar.value != 0xfffd
            }
    }
}
