// What is kept beside tensors comes in small pieces: receipts, workers, answers under keys, turns of a history. Each table
// says what it holds in bytes, and one reservation of the MemoryBudget follows the sum, a page at a time.

import Names

/// A reservation that follows what its owner keeps; one thread at a time.
struct KeptMemory {
    /// What is less than this stays uncounted, and a change within it costs nothing.
    static let page = 4096

    private let reservation: Reservation
    /// What the reservation holds, without its lock.
    private(set) var bytes: Int
    /// Bytes that are there as long as the owner.
    let fixed: Int

    /// Follows what comes.
    init(_ budget: MemoryBudget) {
        reservation = budget.owe(0)
        (bytes, fixed) = (0, 0)
    }

    /// Takes `fixed` bytes, and follows what comes beside them.
    ///
    /// - Throws: `ServingError.outOfMemory` when less is left.
    init(_ budget: MemoryBudget, fixed: Int) throws(ServingError) {
        reservation = try budget.reserve(fixed)
        (bytes, self.fixed) = (fixed, fixed)
    }

    /// Takes what is missing to keep `kept` bytes, before the change that makes them is logged.
    ///
    /// - Throws: `ServingError.outOfMemory` when less is left; nothing is taken then.
    mutating func makeRoom(for kept: Int) throws(ServingError) {
        let wanted = fixed + Self.pages(kept)
        guard wanted > bytes else { return }
        try reservation.grow(by: wanted - bytes)
        bytes = wanted
    }

    /// Holds at least what `taken` bytes need, even where that is beyond the limit: they are about to be taken.
    mutating func raise(to taken: Int) {
        if fixed + Self.pages(taken) > bytes { follow(taken) }
    }

    /// Holds as much as `kept` bytes need from now on, even where that is beyond the limit: they are there.
    mutating func follow(_ kept: Int) {
        let wanted = fixed + Self.pages(kept)
        if wanted > bytes { reservation.owe(wanted - bytes) }
        if wanted < bytes { reservation.shrink(to: wanted) }
        bytes = wanted
    }

    /// What is counted of so many bytes.
    static func pages(_ bytes: Int) -> Int { bytes / page * page }
}

/// What an entry takes in memory.
enum EntryBytes {
    /// A place in a dictionary: at least three eighths of its table are in use.
    static func place<Key, Value>(_: Key.Type, _: Value.Type) -> Int {
        3 * (MemoryLayout<Key>.stride + MemoryLayout<Value>.stride)
    }

    /// An array that grows, with the places that are still free.
    static func array<Element>(_ elements: [Element]) -> Int {
        elements.capacity == 0 ? 0 : 32 + elements.capacity * MemoryLayout<Element>.stride
    }

    /// The text of a name, where it is not in the name itself.
    static func text(_ name: Name) -> Int {
        let count = name.utf8.count
        return count > 15 ? 32 + count : 0
    }
}
