// Memory for numbers whose count is not known before they have come: values of a definition, sparse rows.

import Glibc

/// A growing block of float32 values.
///
/// Owned by one reader while it grows and immutable afterwards; that is why it may cross threads.
public final class TensorBuffer: @unchecked Sendable {
    /// The first value; valid as long as the buffer lives.
    public private(set) var base: UnsafeMutablePointer<Float>
    /// Values written.
    public internal(set) var count = 0
    /// Values that there is room for.
    public private(set) var capacity = 0

    // A block grows by half, but never by more than this many values beyond what is needed.
    private static let surplusLimit = 1 << 20

    /// An empty buffer without memory of its own.
    public init() {
        base = UnsafeMutablePointer(bitPattern: MemoryLayout<Float>.alignment) ?? .allocate(capacity: 0)
    }

    deinit {
        if capacity > 0 { free(base) }
    }

    /// The values.
    public var values: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: base, count: count) }

    /// Makes room for `needed` values in all.
    ///
    /// Large blocks are remapped by the C library, not copied.
    ///
    /// - Parameters:
    ///   - needed: values that must fit.
    ///   - allows: asked before memory is taken, with the bytes to be added.
    /// - Returns: false where `allows` or the system refuses; the buffer is then as before.
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
