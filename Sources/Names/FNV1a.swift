// A short hash where inputs only need to differ: streams of random numbers, tags of selections. Where someone may
// search for collisions, use a fingerprint (XXH3).

extension Sequence where Element == UInt8 {
    /// The 64-bit FNV-1a hash of the bytes.
    ///
    /// `hash = (hash XOR byte) * 0x100000001b3`, from 0xcbf29ce484222325.
    /// - Source: G. Fowler, L. C. Noll, K.-P. Vo, D. Eastlake, "The FNV Non-Cryptographic Hash Algorithm".
    public var fnv1a: UInt64 {
        reduce(0xcbf2_9ce4_8422_2325) { hash, byte in (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
}
