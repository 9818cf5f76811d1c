// The distance of two names in spelling. `NearestNames` compares one name with thousands on a network thread, so a
// whole column of the usual table is one machine word.

import Names

/// Levenshtein distance (insertions, deletions, replacements) from one word to others; case is ignored.
///
/// Source: Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", 2003, figure 3.
struct SpellingDistance {
    /// The number of bytes of each word that count.
    static let longest = 64

    /// The bytes of the word that count.
    let count: Int
    /// By byte: its positions in the word.
    private var places = [UInt64](repeating: 0, count: 256)

    /// Prepares the distance from `word`.
    init(from word: Name) {
        var place = 0
        for byte in word.utf8.prefix(Self.longest) {
            places[Int(byte.lowercased)] |= 1 << place
            place += 1
        }
        count = place
        for letter in UInt8(ascii: "A")...UInt8(ascii: "Z") { places[Int(letter)] = places[Int(letter.lowercased)] }
    }

    /// The distance to another word.
    func distance(to other: Name) -> Int {
        let bytes = other.utf8.prefix(Self.longest)
        guard count > 0 else { return bytes.count }
        let last = UInt64(1) << (count - 1)
        var (more, less, distance) = (UInt64.max, UInt64(0), count)
        for byte in bytes {
            let equal = places[Int(byte)]
            let diagonal = (((equal & more) &+ more) ^ more) | equal | less
            var raised = less | ~(diagonal | more)
            var lowered = more & diagonal
            if raised & last != 0 { distance += 1 } else if lowered & last != 0 { distance -= 1 }
            raised = raised << 1 | 1
            lowered <<= 1
            more = lowered | ~(diagonal | raised)
            less = raised & diagonal
        }
        return distance
    }
}

extension UInt8 {
    /// Lower case for an ASCII capital; any other byte unchanged.
    var lowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
