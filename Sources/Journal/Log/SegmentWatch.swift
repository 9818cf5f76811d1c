// Checks that the older segments still exist, because they contain acknowledged records too. SegmentLog checks at each
// sync, which costs one query of the directory's modification time unless the directory has changed.

import Glibc
import Threading

/// The segments that a start needs, from the first that is not deleted to the newest.
struct SegmentWatch {
    /// The number of the first of them; raised before segments are deleted.
    let first: Locked<UInt64>
    private let directory: Directory
    /// The directory's modification time at the last look that is reliable.
    private var seen: Int64?
    /// File timestamps are coarse: a later change may have the same one.
    private static let grain: Int64 = 50_000_000

    init(_ directory: Directory, first: UInt64) {
        self.directory = directory
        self.first = Locked(first)
    }

    /// Refuses if a segment before `newest` has lost its name.
    mutating func check(before newest: UInt64) throws(JournalError) {
        guard let changed = directory.disk.changeTime(directory.path), changed != seen else { return }
        let now = SegmentWatch.now
        // If listing fails now, the next sync lists again.
        guard let names = try? directory.fileNames() else { return }
        let there = Set(names.compactMap(FileName.segment.number))
        var number = first.withLock { $0 }
        while number < newest {
            guard there.contains(number) else { throw .displaced(file: FileName.segment(number)) }
            number += 1
        }
        seen = now - changed > SegmentWatch.grain ? changed : nil
    }

    private static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
