// CRC32C over Swift's buffers; the loop itself is C (CKernels).

import CKernels

/// A running CRC32C.
struct Checksum {
    private(set) var value: UInt32 = 0

    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        value = paramd_crc32c(value, bytes.baseAddress, bytes.count)
    }

    /// The checksum of a payload and of the zeros that would follow it up to a multiple of 8 bytes.
    static func ofPadded(_ payload: UnsafeRawBufferPointer) -> UInt32 {
        var checksum = Checksum()
        checksum.add(payload)
        checksum.pad(after: payload.count)
        return checksum.value
    }

    /// Adds zeros up to a multiple of 8 bytes after a payload of `count` bytes.
    mutating func pad(after count: Int) {
        add(UnsafeRawBufferPointer(rebasing: zeros[..<RecordHeader.padding(after: count)]))
    }

    /// The checksum of `bytes` appended to the input that gave `seed`.
    static func of(_ bytes: UnsafeRawBufferPointer, after seed: UInt32 = 0) -> UInt32 {
        paramd_crc32c(seed, bytes.baseAddress, bytes.count)
    }
}
