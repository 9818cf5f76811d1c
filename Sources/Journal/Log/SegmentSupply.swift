// The files that the next segments are written into: those of deleted segments, and if there is none, one that is
// prepared while no append waits. SegmentLog owns it.

/// Files without a segment's name, ready to become segments.
struct SegmentSupply {
    /// The size of a segment, unless a batch is longer.
    let segmentBytes: Int
    /// The files of deleted segments.
    let spares: SpareSegments
    private let directory: Directory
    /// A new file, prepared in advance.
    private var ahead: SegmentFile?

    /// The bytes after the last record that idle time fills with zeros.
    static let window = 4 << 20

    init(_ directory: Directory, segmentBytes: Int) {
        self.directory = directory
        self.segmentBytes = segmentBytes
        spares = SpareSegments(in: directory, leastSize: segmentBytes)
    }

    /// A file with room for `extent` bytes of records.
    mutating func take(toFit extent: Int) throws(JournalError) -> SegmentFile {
        if let file = spares.take(SegmentHeader.size + extent) { return file }
        if let file = ahead {
            ahead = nil
            if file.room >= extent { return file }
            file.discard()
        }
        return try reserve(toFit: extent)
    }

    /// Makes a new file; if the disk is full, in the place of those that are kept for later.
    private func reserve(toFit extent: Int) throws(JournalError) -> SegmentFile {
        let size = size(toFit: extent)
        do throws(JournalError) {
            return try SegmentFile.reserve(size, in: directory)
        } catch .outOfSpace {
            spares.discardAll()
            return try SegmentFile.reserve(size, in: directory)
        }
    }

    /// The size of a new segment; rounded up, so that batches of nearly the same length can use each other's files.
    private func size(toFit extent: Int) -> Int {
        let (needed, part) = (SegmentHeader.size + extent, segmentBytes / 16)
        return needed <= segmentBytes ? segmentBytes : (needed + part - 1) / part * part
    }

    // MARK: - In advance

    /// Reserves a file, unless there is one; false if there was nothing to do.
    mutating func prepare() throws(SystemError) -> Bool {
        guard ahead == nil, !spares.has(segmentBytes) else { return false }
        try keep(try SegmentFile(reserving: segmentBytes, in: directory))
        return true
    }

    /// Fills part of the prepared file with zeros; false if there was nothing to do.
    mutating func fill() throws(SystemError) -> Bool {
        guard var file = ahead else { return false }
        guard try file.fillOneStep(upTo: SegmentSupply.window) else { return false }
        try keep(file)
        return true
    }

    /// Ensures that there is a file with room for `extent` bytes of records.
    mutating func makeRoom(toFit extent: Int) throws(JournalError) {
        guard ahead?.room ?? 0 < extent, !spares.has(SegmentHeader.size + extent) else { return }
        ahead?.discard()
        ahead = nil
        let file = try reserve(toFit: extent)
        try directory.writing(FileName.ahead) { () throws(SystemError) in try keep(file) }
    }

    /// Makes the file durable and keeps it.
    ///
    /// After a failed sync the kernel may have dropped its pages, and a second sync could report false success: discard
    /// such a file.
    private mutating func keep(_ file: SegmentFile) throws(SystemError) {
        do {
            try file.synchronize()
        } catch {
            ahead = nil
            file.discard()
            throw error
        }
        ahead = file
    }

    /// Removes all files.
    mutating func discardAll() {
        ahead?.discard()
        ahead = nil
        spares.discardAll()
    }
}
