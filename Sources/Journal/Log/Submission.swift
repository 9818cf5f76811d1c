// A record waiting to be written, checksummed by the thread that appended it, so that the journal thread only chains.
// Journal makes them, SegmentLog writes them.

/// A record, its length on disk and its payload's checksum.
struct Submission: Sendable {
    let record: Record
    let payloadCount: Int
    let payloadChecksum: UInt32

    init(_ record: Record) {
        self.record = record
        var checksum = Checksum()
        var count = 0
        for piece in record.payload {
            checksum.add(piece.content)
            count += piece.count
        }
        payloadCount = count
        checksum.add(UnsafeRawBufferPointer(rebasing: zeros[..<RecordHeader.padding(payload: count)]))
        payloadChecksum = checksum.value
    }

    /// Bytes taken in the segment.
    var extent: Int { RecordHeader.extent(payload: payloadCount) }
}

/// Zero bytes for padding and filling.
nonisolated(unsafe) let zeros: UnsafeRawBufferPointer = {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    _ = memory.initializeMemory(as: UInt8.self, repeating: 0)
    return UnsafeRawBufferPointer(memory)
}()
