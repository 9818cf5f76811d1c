// How far apart two names are in spelling. `NearestNames` measures one name against thousands, on a thread that others wait
// for: a whole column of the usual table is one machine word here.

import Names

/// Levenshtein's distance, insertions, deletions and replacements, from one word to others; case is passed over.
///
/// Source: Hyyrö, "A bit-vector algorithm for computing Levenshtein and Damerau edit distances", 2003, figure 3.
struct SpellingDistance {
    /// Bytes of each word that count.
    static let longest = 64

    /// Bytes of the word that count.
    let count: Int
    /// By byte: where it stands in the word.
    private var places = [UInt64](repeating: 0, count: 256)

    /// Measures from `word`.
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
    /// The small letter of an ASCII capital; any other byte itself.
    var lowercased: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
