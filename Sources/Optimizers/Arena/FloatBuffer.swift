// Page-aligned float32 memory for parameters, gradients and slots, so that they can be sent and written to disk without
// a copy. The serving layer pools the buffers; rules see only pointers into them.

import Glibc

/// Page-aligned float32 memory of a fixed size, freed with its last reference.
///
/// Not synchronised: a writer must be the only owner, or order the accesses.
public final class FloatBuffer: @unchecked Sendable {
    /// The number of values.
    public let count: Int
    /// The first value; valid as long as the buffer exists.
    public let base: UnsafeMutablePointer<Float>

    /// Allocates memory for `count` values.
    ///
    /// The values are zero; pages cost nothing until they are written.
    ///
    /// - Throws: `.noMemory` if the system refuses. The caller has checked its memory budget
    ///   (`Catalogue.memoryNeeded`), but the machine may have less.
    public init(count: Int) throws(OptimizerError) {
        guard let base = Self.map(count) else { throw .noMemory(bytes: Self.bytes(of: count)) }
        (self.count, self.base) = (count, base)
    }

    /// Allocates memory for a logged change, which can no longer be refused: waits until the system has the memory.
    ///
    /// Changes take their memory before they are logged; this is for needs that are unknown until then. If the system
    /// refuses for ten seconds, the process ends, and the next start applies what was logged.
    public init(owed count: Int) {
        var (base, triesLeft) = (Self.map(count), 1000)
        while base == nil, triesLeft > 0 {
            usleep(10_000)
            (base, triesLeft) = (Self.map(count), triesLeft - 1)
        }
        guard let base else { preconditionFailure("The system refuses \(Self.bytes(of: count)) bytes of memory.") }
        (self.count, self.base) = (count, base)
    }

    private static func bytes(of count: Int) -> Int { max(count, 1) * MemoryLayout<Float>.stride }

    /// From this size on, whole large pages are most of the memory.
    private static let leastHuge = 4 << 20

    private static func map(_ count: Int) -> UnsafeMutablePointer<Float>? {
        let memory = mmap(nil, bytes(of: count), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
        // Only a wish. From pages of 2 MiB, a write of 40 MB past the page cache takes 17 ms in place of 32, because it
        // has fewer pieces; and an update of 10 million values is up to a tenth faster.
        if bytes(of: count) >= leastHuge { madvise(memory, bytes(of: count), MADV_HUGEPAGE) }
        return memory.bindMemory(to: Float.self, capacity: count)
    }

    deinit { munmap(base, Self.bytes(of: count)) }

    /// Sets every value to 0.
    public func zero() { base.update(repeating: 0, count: count) }

    /// Sets every value to `value`.
    public func fill(_ value: Float) { base.update(repeating: value, count: count) }

    /// Copies the values of another buffer of the same count.
    public func copy(from other: FloatBuffer) { base.update(from: other.base, count: min(count, other.count)) }

    /// The values of a range.
    public subscript(range: Range<Int>) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base + range.lowerBound, count: range.count)
    }
}
