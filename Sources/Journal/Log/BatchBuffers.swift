// The header memory and iovec list of one batch, reused for all batches. Used only by SegmentLog; payloads are written
// from their owners' memory.

import Glibc

/// Lays records out for one vectored write, or for a few if parts of them are written past the page cache.
struct BatchBuffers: ~Copyable {
    private var heads = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * RecordHeader.size, alignment: 8)
    private var vectors: [iovec] = []
    /// The indices of the vectors that are whole pages of memory and of the file, ascending.
    private var direct: [Int] = []
    private var leastDirect: Int?
    private var start = 0
    /// The offset in the file after everything added.
    private(set) var end = 0

    deinit { heads.deallocate() }

    /// Starts a batch of `count` records at an offset of the file.
    ///
    /// - Parameter leastDirect: The least bytes of a piece to be written past the page cache; nil for none.
    mutating func begin(count: Int, at offset: Int, leastDirect: Int?) {
        vectors.removeAll(keepingCapacity: true)
        direct.removeAll(keepingCapacity: true)
        (start, end, self.leastDirect) = (offset, offset, leastDirect)
        if heads.count < count * RecordHeader.size {
            heads.deallocate()
            heads = .allocate(byteCount: 2 * count * RecordHeader.size, alignment: 8)
        }
    }

    /// Whether anything is to be written past the page cache.
    var isDirect: Bool { !direct.isEmpty }

    /// Adds record `index` of the batch; returns the checksum of its header.
    mutating func add(_ submission: Submission, header: RecordHeader, index: Int, salt: UInt32) -> UInt32 {
        let offset = index * RecordHeader.size
        let memory = UnsafeMutableRawBufferPointer(rebasing: heads[offset..<offset + RecordHeader.size])
        guard let start = memory.baseAddress else { return 0 }
        let checksum = header.encode(to: start, salt: salt)
        append(UnsafeRawBufferPointer(memory))
        append(UnsafeRawBufferPointer(rebasing: zeros[..<Int(header.lead)]))
        for piece in submission.record.payload { add(piece.content) }
        append(UnsafeRawBufferPointer(rebasing: zeros[..<RecordHeader.padding(after: end)]))
        return checksum
    }

    /// Adds a piece; the whole pages of a large one, and the rest.
    private mutating func add(_ piece: UnsafeRawBufferPointer) {
        guard let leastDirect, piece.count >= leastDirect, piece.isOnPage, end % page == 0 else { return append(piece) }
        let pages = piece.count & ~(page - 1)
        if pages > 0 { direct.append(vectors.count) }
        append(UnsafeRawBufferPointer(rebasing: piece[..<pages]))
        append(UnsafeRawBufferPointer(rebasing: piece[pages...]))
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 0 else { return }
        vectors.append(
            iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count))
        end += bytes.count
    }

    /// Writes everything added to the file.
    ///
    /// - Parameter past: a descriptor of the same file for writes past the page cache; nil if it has none.
    mutating func write(to file: Int32, past: Int32?, on disk: any FileSystem) throws(SystemError) {
        var (first, place) = (0, start)
        let cuts = past == nil ? [] : direct
        for cut in cuts + [vectors.count] {
            place = try write(first..<cut, to: file, at: place, on: disk)
            first = cut
            guard let past, cut < vectors.count else { continue }
            place = try writePages(cut, to: file, past: past, at: place, on: disk)
            first = cut + 1
        }
    }

    /// Writes a vector past the page cache, or as usual if the file system has other rules; returns the offset after it.
    private mutating func writePages(
        _ index: Int, to file: Int32, past: Int32, at place: Int, on disk: any FileSystem
    ) throws(SystemError) -> Int {
        let pages = vectors[index]
        do throws(SystemError) {
            return try write(index..<index + 1, to: past, at: place, on: disk)
        } catch {
            guard error.code == EINVAL else { throw error }
            vectors[index] = pages
            return try write(index..<index + 1, to: file, at: place, on: disk)
        }
    }

    /// Writes some of the vectors; returns the offset after them.
    private mutating func write(
        _ range: Range<Int>, to file: Int32, at place: Int, on disk: any FileSystem
    ) throws(SystemError) -> Int {
        let count = vectors[range].reduce(0) { $0 + $1.iov_len }
        try vectors.withUnsafeMutableBufferPointer { list throws(SystemError) in
            try disk.writeAll(UnsafeMutableBufferPointer(rebasing: list[range]), to: file, at: place)
        }
        return place + count
    }
}
