// The positions of a head's parts in the library's memory. The parser ends a head at a line with an empty name or at a
// NUL, cuts values at a NUL, and takes the rest for another request. The names and values that it delivers do not show
// that; the distances between them do.

/// The positions of a head's parts.
struct HeadLayout {
    /// The bytes of a part, as addresses that are only compared, never read.
    typealias Place = Range<UInt>

    /// From the first byte of the method to the last of the head.
    let whole: Place
    /// The first byte after the version.
    let versionEnd: UInt
    /// The name and value of each header, in the order received; nil for a part without an address.
    var fields: [(name: UInt, valueEnd: UInt)?] = []

    /// Whether each line ends with two bytes, CR LF, right before the next one starts, and the head with four.
    ///
    /// A line that ends with LF alone, a folded one, and one with a NUL have a different length.
    var isExact: Bool {
        var end = versionEnd
        for field in fields {
            guard let field, field.name == end + 2 else { return false }
            end = field.valueEnd
        }
        return whole.upperBound == end + 4
    }
}
