// Small data in addition to tensors: receipts, workers, answers under keys, turns of a history. Each table reports its
// size, and one reservation of the MemoryBudget follows the sum in whole pages.

import Names

/// A reservation that follows the data of its owner.
///
/// Used by one thread at a time.
struct KeptMemory {
    /// Less than this is not counted, so small changes cost nothing.
    static let page = 4096

    private let reservation: Reservation
    /// The reserved size, readable without its lock.
    private(set) var bytes: Int
    /// Bytes that exist as long as the owner.
    let fixed: Int

    /// Starts with an empty reservation.
    init(_ budget: MemoryBudget) {
        reservation = budget.owe(0)
        (bytes, fixed) = (0, 0)
    }

    /// Reserves `fixed` bytes, in addition to the data that follows.
    ///
    /// - Throws: `ServingError.outOfMemory` if less is left.
    init(_ budget: MemoryBudget, fixed: Int) throws(ServingError) {
        reservation = try budget.reserve(fixed)
        (bytes, self.fixed) = (fixed, fixed)
    }

    /// Reserves what is missing for `kept` bytes, before the change that needs them is logged.
    ///
    /// - Throws: `ServingError.outOfMemory` if less is left; nothing is reserved then.
    mutating func makeRoom(for kept: Int) throws(ServingError) {
        let wanted = fixed + Self.pages(kept)
        guard wanted > bytes else { return }
        try reservation.grow(by: wanted - bytes)
        bytes = wanted
    }

    /// Reserves at least enough for `taken` bytes, even beyond the limit: they are about to be used.
    mutating func raise(to taken: Int) {
        if fixed + Self.pages(taken) > bytes { follow(taken) }
    }

    /// Adjusts the reservation to `kept` bytes, even beyond the limit: they are in use.
    mutating func follow(_ kept: Int) {
        let wanted = fixed + Self.pages(kept)
        if wanted > bytes { reservation.owe(wanted - bytes) }
        if wanted < bytes { reservation.shrink(to: wanted) }
        bytes = wanted
    }

    /// The counted part of this many bytes.
    static func pages(_ bytes: Int) -> Int { bytes / page * page }
}

/// The memory of an entry.
enum EntryBytes {
    /// A place in a dictionary: at least three eighths of its table are in use.
    static func place<Key, Value>(_: Key.Type, _: Value.Type) -> Int {
        3 * (MemoryLayout<Key>.stride + MemoryLayout<Value>.stride)
    }

    /// A growing array, including its free places.
    static func array<Element>(_ elements: [Element]) -> Int {
        elements.capacity == 0 ? 0 : 32 + elements.capacity * MemoryLayout<Element>.stride
    }

    /// The text of a name, if it is not stored inline.
    static func text(_ name: Name) -> Int {
        let count = name.utf8.count
        return count > 15 ? 32 + count : 0
    }
}
