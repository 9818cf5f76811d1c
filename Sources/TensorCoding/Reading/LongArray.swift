// Arrays that grow with a body. Swift copies an array that has no room for more, and for a long one that is work of
// milliseconds: `JSONBodyReader` says when it is due, and its caller chooses the thread for it.

extension Array {
    /// Longer arrays, in bytes, are moved by `makeRoom` alone.
    private static var movedInPlace: Int { 1 << 20 }
    /// Elements that a piece of a body may add.
    private static var piece: Int { 1 << 14 }

    /// Whether the next piece of a body may move a long array.
    var isFull: Bool {
        capacity * MemoryLayout<Element>.stride >= Self.movedInPlace && capacity - count < Self.piece
    }

    /// Moves a full array to where it can double.
    mutating func makeRoom() {
        if isFull { reserveCapacity(2 * capacity) }
    }
}
