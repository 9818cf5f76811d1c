// The header memory and iovec list of one batch, reused for all batches. Used only by SegmentLog; payloads are written
// from their owners' memory.

import Glibc

/// Lays records out for one vectored write.
struct BatchBuffers: ~Copyable {
    private var heads = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * RecordHeader.size, alignment: 8)
    private var vectors: [iovec] = []

    deinit { heads.deallocate() }

    /// Starts a batch of `count` records.
    mutating func begin(count: Int) {
        vectors.removeAll(keepingCapacity: true)
        if heads.count < count * RecordHeader.size {
            heads.deallocate()
            heads = .allocate(byteCount: 2 * count * RecordHeader.size, alignment: 8)
        }
    }

    /// Adds record `index` of the batch; returns the checksum of its header.
    mutating func add(_ submission: Submission, header: RecordHeader, index: Int, salt: UInt32) -> UInt32 {
        let offset = index * RecordHeader.size
        let memory = UnsafeMutableRawBufferPointer(rebasing: heads[offset..<offset + RecordHeader.size])
        guard let start = memory.baseAddress else { return 0 }
        let checksum = header.encode(to: start, salt: salt)
        append(UnsafeRawBufferPointer(memory))
        for piece in submission.record.payload { append(piece.content) }
        append(UnsafeRawBufferPointer(rebasing: zeros[..<RecordHeader.padding(payload: submission.payloadCount)]))
        return checksum
    }

    /// Writes everything added to the file, from `offset` on.
    mutating func write(to file: Int32, at offset: Int, on disk: any FileSystem) throws(SystemError) {
        try vectors.withUnsafeMutableBufferPointer { list throws(SystemError) in
            try disk.writeAll(list, to: file, at: offset)
        }
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        vectors.append(
            iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count))
    }
}
