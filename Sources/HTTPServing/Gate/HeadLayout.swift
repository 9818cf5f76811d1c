// Where the parts of a head are in the library's memory. Its parser ends a head at a line with an empty name or at a NUL, cuts
// values at a NUL and takes what follows for another request; none of that shows in the names and values that it hands over,
// and all of it in the distances between them.

/// The places of a head's parts.
struct HeadLayout {
    /// The bytes of a part, by addresses that are compared and never read.
    typealias Place = Range<UInt>

    /// From the first byte of the method to the last of the head.
    let whole: Place
    /// The first byte behind the version.
    let versionEnd: UInt
    /// The name and the value of each header, in the order received; nil for a part that the library has no place for.
    var fields: [(name: UInt, valueEnd: UInt)?] = []

    /// Whether each line ends with two bytes, which are CR LF, right before the next one begins, and the head with four.
    ///
    /// A line that ends with LF alone, a folded one, and one that holds a NUL come out longer or shorter.
    var isExact: Bool {
        var end = versionEnd
        for field in fields {
            guard let field, field.name == end + 2 else { return false }
            end = field.valueEnd
        }
        return whole.upperBound == end + 4
    }
}
