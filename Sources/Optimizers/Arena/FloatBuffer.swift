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
    private let byteCount: Int

    /// Fresh memory for `count` values; it reads as zeros and costs nothing until written.
    ///
    /// The caller has checked `count` against its memory budget (`Catalogue.memoryNeeded`); an exhausted machine traps
    /// here as it does in any Swift allocation.
    public init(count: Int) {
        self.count = count
        byteCount = max(count, 1) * MemoryLayout<Float>.stride
        let memory = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { preconditionFailure("out of memory: \(byteCount) bytes") }
        base = memory.bindMemory(to: Float.self, capacity: count)
    }

    deinit { munmap(base, byteCount) }

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
