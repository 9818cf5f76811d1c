// The blocks of a snapshot before they are written: content and checksums side by side, as in the file, in memory that
// one write takes whole.

/// Some consecutive blocks, the last of which may not be full.
struct SnapshotBlocks: ~Copyable {
    private var memory: UnsafeMutableRawBufferPointer
    private var used = 0
    /// The content of the block that is not full.
    private var started = 0
    /// The number of the block that is not full.
    private var number = 0

    /// A short snapshot needs no more than one block.
    private static let (first, most) = (SnapshotBlock.size, 64 * SnapshotBlock.size)

    init() { memory = .allocate(byteCount: Self.first, alignment: page) }

    deinit { memory.deallocate() }

    /// Whether the next block needs a write first.
    var isFull: Bool { used == Self.most }

    /// All full blocks, and what `end` has ended.
    var filled: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<used]) }

    /// Adds content to the block that is not full; returns how much of it.
    mutating func add(_ bytes: UnsafeRawBufferPointer, salt: UInt32) -> Int {
        if used == memory.count { grow() }
        let part = bytes.prefix(SnapshotBlock.content - started)
        UnsafeMutableRawBufferPointer(rebasing: memory[(used + started)...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
        started += part.count
        if started == SnapshotBlock.content { end(salt: salt) }
        return part.count
    }

    /// Ends the block that is not full, if it has content.
    mutating func end(salt: UInt32) {
        guard started > 0 else { return }
        let content = UnsafeRawBufferPointer(rebasing: memory[used..<used + started])
        let trailer = SnapshotBlock.trailer(of: content, number: number, salt: salt)
        memory.storeBytes(of: trailer, toByteOffset: used + started, as: UInt64.self)
        used += started + SnapshotBlock.trailer
        (started, number) = (0, number + 1)
    }

    /// Makes room after the blocks have been written.
    mutating func clear() { used = 0 }

    private mutating func grow() {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.most, alignment: page)
        larger.copyMemory(from: filled)
        memory.deallocate()
        memory = larger
    }
}
