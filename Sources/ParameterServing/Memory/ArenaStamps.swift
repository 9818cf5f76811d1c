// A step that does not touch a parameter must pass it on to the next version, and copying a large one costs more than
// updating a small one. A reused buffer often still has the same values; stamps tell when.

/// For each parameter of an arena, the write that produced its values.
///
/// A model's writes are numbered; arenas with equal stamps have equal values.
struct ArenaStamps {
    /// The write that produced all values; the last one if `each` is not empty.
    private let last: Int
    /// By parameter, unless one write produced them all.
    private let each: [Int]

    /// Makes stamps for values of a single write.
    init(all write: Int) {
        last = write
        each = []
    }

    private init(last: Int, each: [Int]) {
        self.last = last
        self.each = each
    }

    /// The stamps after a write of some parameters; nil for all of them.
    func after(write: Int, of written: [Bool]?) -> ArenaStamps {
        guard let written, written.contains(false) else { return ArenaStamps(all: write) }
        return ArenaStamps(last: write, each: written.indices.map { written[$0] ? write : self[$0] })
    }

    /// By parameter, whether both arenas have equal values; empty if they share none.
    func matches(_ other: ArenaStamps) -> [Bool] {
        let count = max(each.count, other.each.count)
        return (0..<count).map { self[$0] == other[$0] }
    }

    private subscript(parameter: Int) -> Int { each.isEmpty ? last : each[parameter] }
}
