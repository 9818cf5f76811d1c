// Memory for numbers whose count is not known in advance: values of a definition, sparse rows.

import Glibc

/// A growing block of float32 values.
///
/// One reader owns it while it grows; afterwards it is immutable, so threads can share it.
public final class TensorBuffer: @unchecked Sendable {
    /// The first value; valid as long as the buffer exists.
    public private(set) var base: UnsafeMutablePointer<Float>
    /// The number of values written.
    public internal(set) var count = 0
    /// The number of values that fit.
    public private(set) var capacity = 0

    // A block grows by half, but never by more than this many values beyond the need.
    private static let surplusLimit = 1 << 20

    /// Makes an empty buffer without memory.
    public init() {
        base = UnsafeMutablePointer(bitPattern: MemoryLayout<Float>.alignment) ?? .allocate(capacity: 0)
    }

    deinit {
        if capacity > 0 { free(base) }
    }

    /// The values.
    public var values: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

    /// Makes room for `needed` values in total.
    ///
    /// The C library remaps large blocks instead of copying them.
    ///
    /// - Parameters:
    ///   - needed: values that must fit.
    ///   - allows: asked before memory is taken, with the bytes to be added.
    /// - Returns: false if `allows` or the system refuses; the buffer is then unchanged.
    func grow(to needed: Int, allows: (Int) -> Bool) -> Bool {
        guard needed > capacity else { return true }
        let wanted = needed + min(needed / 2 + 16, Self.surplusLimit)
        let stride = MemoryLayout<Float>.stride
        guard allows((wanted - capacity) * stride) else { return false }
        guard let block = realloc(capacity > 0 ? base : nil, wanted * stride) else { return false }
        base = block.assumingMemoryBound(to: Float.self)
        capacity = wanted
        return true
    }
}
