// A step that leaves a parameter alone must hand it on to the next version, and copying a large one costs more than the
// update of a small one. A recycled buffer often holds those very values still; stamps tell when.

/// For each parameter of an arena, which write made its values.
///
/// Writes of a model are numbered; where two arenas have the same stamp they hold the same values.
struct ArenaStamps {
    /// The write that made every value; where `each` is not empty, the last one.
    private let last: Int
    /// By parameter, unless one write made them all.
    private let each: [Int]

    /// All values made by one write.
    init(all write: Int) {
        last = write
        each = []
    }

    private init(last: Int, each: [Int]) {
        self.last = last
        self.each = each
    }

    /// The stamps after a write of some parameters; nil stands for all of them.
    func after(write: Int, of written: [Bool]?) -> ArenaStamps {
        guard let written, written.contains(false) else { return ArenaStamps(all: write) }
        return ArenaStamps(last: write, each: written.indices.map { written[$0] ? write : self[$0] })
    }

    /// By parameter, whether both arenas hold the same values; empty where they share none.
    func matches(_ other: ArenaStamps) -> [Bool] {
        let count = max(each.count, other.each.count)
        return (0..<count).map { self[$0] == other[$0] }
    }

    private subscript(parameter: Int) -> Int { each.isEmpty ? last : each[parameter] }
}
