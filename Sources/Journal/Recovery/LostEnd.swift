// What a power cut leaves where no append waits for a sync: segments whose bytes or names did not all reach the disk, in
// any order. The records before the first gap are kept; those after it were never durable, and are given up.

/// Segments behind a gap in records that were never durable.
struct LostEnd {
    /// The segments, ascending.
    let numbers: [UInt64]
    /// The position of the first record that is missing.
    let position: UInt64

    /// Looks for a gap that cannot be damage.
    ///
    /// A gap is damage if `bound` does not allow records without a sync there, if it is before the marked durable end,
    /// or if a later segment says that the missing records were durable. Then this is `nil`, and reading reports it.
    init?(in directory: Directory, after durable: DurableEnd?, bound: UInt64) throws(JournalError) {
        guard bound > durable?.position ?? 1 else { return nil }
        let all = try directory.fileNames().compactMap(FileName.segment.number)
        let start = all.last { $0 <= durable?.segment ?? 0 } ?? all.first
        guard let start, let end = try LostEnd.end(of: all.drop { $0 < start }, in: directory) else { return nil }
        guard end.position < bound, end.position >= durable?.position ?? 1, !end.rest.isEmpty else { return nil }
        let isProven = end.rest.contains { number in
            let reader = try? SegmentReader(FileName.segment(number), in: directory)
            return reader.map { $0.header.durable > end.position } ?? false
        }
        guard !isProven else { return nil }
        (numbers, position) = (Array(end.rest), end.position)
    }

    /// Reads segments as far as each continues the one before; `nil` if the first does not open.
    private static func end(
        of numbers: ArraySlice<UInt64>, in directory: Directory
    ) throws(JournalError) -> (position: UInt64, rest: ArraySlice<UInt64>)? {
        var previous: SegmentReader?
        for (index, number) in zip(numbers.indices, numbers) {
            do throws(JournalError) {
                let reader = try SegmentReader(FileName.segment(number), in: directory)
                if let previous {
                    guard previous.header.number + 1 == number else { throw Directory.missing(number - 1) }
                    try SegmentChain.check(reader, continues: previous)
                }
                while case .record = try reader.next() {}
                previous = reader
            } catch {
                guard case .corrupted = error else { throw error }
                return previous.map { ($0.nextPosition, numbers[index...]) }
            }
        }
        return previous.map { ($0.nextPosition, []) }
    }

    /// Removes the segments, newest first, so that a crash in between leaves the same gap.
    func remove(from directory: Directory) throws(JournalError) {
        for name in numbers.reversed().map(FileName.segment.callAsFunction) {
            try directory.writing(name) { () throws(SystemError) in
                try directory.remove(name)
                try directory.synchronize()
            }
        }
    }
}
