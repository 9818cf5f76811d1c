// Page-aligned float32 memory: parameters, gradients and slots are in buffers of this kind, so that they can be sent
// and written to disk as they are. The serving layer pools them; rules see only pointers into them.

import Glibc

/// Page-aligned float32 memory of a fixed count, freed with its last reference.
///
/// Not synchronised: whoever writes must be the only one who holds it, or order the accesses.
public final class FloatBuffer: @unchecked Sendable {
    /// How many values it holds.
    public let count: Int
    /// Its first value; valid as long as the buffer lives.
    public let base: UnsafeMutablePointer<Float>

    /// Fresh memory for `count` values; it reads as zeros and costs nothing until written.
    ///
    /// - Throws: `.noMemory` where the system refuses it. The caller has asked its memory budget before
    ///   (`Catalogue.memoryNeeded`), but the machine may have less.
    public init(count: Int) throws(OptimizerError) {
        guard let base = Self.map(count) else { throw .noMemory(bytes: Self.bytes(of: count)) }
        (self.count, self.base) = (count, base)
    }

    /// The same for what has been logged and can no longer be refused: waits until the system has the memory.
    ///
    /// All that a change needs is taken before it is logged; this is for what could not be known then. A process that
    /// gets none for ten seconds ends, and applies what it has logged when it is started again.
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

    private static func map(_ count: Int) -> UnsafeMutablePointer<Float>? {
        let memory = mmap(nil, bytes(of: count), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { return nil }
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
