// Reading records outside of recovery, and deleting segments. Both work on files, independent of the journal thread.

extension Journal {
    /// Passes the records from `start` up to `end` (excluded) to `body`, in order, while appends continue.
    ///
    /// Reads what had been written when the call began; `nil` for `end` means all of that. Segments with these records
    /// must not be deleted meanwhile.
    ///
    /// - Throws: `.replayRefused` when `body` throws, `.corrupted` and `.inaccessible` from the disk.
    public func read(
        from start: UInt64, upTo end: UInt64? = nil, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        let limit = min(end ?? .max, nextPosition)
        try Journal.read(directory, from: start, upTo: limit, body)
    }

    /// As above, from a directory that is not opened for writing; needs no lock.
    ///
    /// Stops at a torn tail.
    public static func read(
        directory: String, from start: UInt64 = 1, upTo end: UInt64? = nil, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        try read(directory: directory, on: POSIXFileSystem(), from: start, upTo: end, body)
    }

    package static func read(
        directory: String, on disk: any FileSystem, from start: UInt64 = 1, upTo end: UInt64? = nil,
        _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        try read(Directory(directory, on: disk), from: start, upTo: end ?? .max, body)
    }

    /// The first existing segment: its number, which is 1 until one is deleted, and its first position; `nil` if there
    /// is no segment.
    public static func firstSegment(directory: String) throws(JournalError) -> (number: UInt64, position: UInt64)? {
        try firstSegment(directory: directory, on: POSIXFileSystem())
    }

    package static func firstSegment(
        directory: String, on disk: any FileSystem
    ) throws(JournalError) -> (number: UInt64, position: UInt64)? {
        let directory = Directory(directory, on: disk)
        guard let first = try directory.segmentNumbers().first else { return nil }
        return (first, try SegmentReader(FileName.segment(first), in: directory).header.firstPosition)
    }

    /// Whether there are segments, other than the newest, that contain only records before `position`.
    public func hasSegments(before position: UInt64) throws(JournalError) -> Bool {
        try !SegmentChain(directory).obsolete(before: position).isEmpty
    }

    /// Deletes the segments that contain only records before `position`; always keeps the newest.
    ///
    /// - Returns: The number of deleted segments.
    @discardableResult
    public func deleteSegments(before position: UInt64) throws(JournalError) -> Int {
        let chain = try SegmentChain(directory)
        let kept = chain.numbers.dropFirst(try chain.obsolete(before: position).count).first
        firstSegment.withLock { $0 = max($0, kept ?? 0) }
        return try chain.remove(before: position)
    }

    private static func read(
        _ directory: Directory, from start: UInt64, upTo end: UInt64, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        let chain = try SegmentChain(directory)
        var previous: SegmentReader?
        for number in try chain.numbers(from: start) {
            let reader = try chain.open(number, after: previous)
            let isLast = number == chain.numbers.last
            _ = try SegmentChain.read(reader, isLast: isLast, upTo: end) { record throws(JournalError) in
                guard record.position >= start, record.type != Record.seal else { return }
                do {
                    try body(record)
                } catch {
                    throw .replayRefused(position: record.position, reason: "\(error)")
                }
            }
            if reader.nextPosition >= end { return }
            previous = reader
        }
    }
}
