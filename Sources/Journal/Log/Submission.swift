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
        checksum.pad(after: count)
        payloadChecksum = checksum.value
    }

    /// Bytes taken in the segment.
    var extent: Int { RecordHeader.extent(payload: payloadCount) }

    /// Bytes to put before the payload of a record at `offset` of the file, so that its first piece of at least
    /// `leastDirect` bytes is on a page of the file, as it is in memory; 0 if it has none.
    func lead(at offset: Int, leastDirect: Int) -> Int {
        guard payloadCount >= leastDirect else { return 0 }
        var place = offset + RecordHeader.size
        for piece in record.payload {
            if piece.count >= leastDirect { return piece.content.isOnPage ? -place & (page - 1) : 0 }
            place += piece.count
        }
        return 0
    }
}

/// The unit of writes past the page cache: the largest that disks ask for.
let page = 4096

extension UnsafeRawBufferPointer {
    /// Whether it begins with a page of memory.
    var isOnPage: Bool { Int(bitPattern: baseAddress) & (page - 1) == 0 }
}

/// Zero bytes for padding and filling.
nonisolated(unsafe) let zeros: UnsafeRawBufferPointer = {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    _ = memory.initializeMemory(as: UInt8.self, repeating: 0)
    return UnsafeRawBufferPointer(memory)
}()
