// Whether the older segments are still there: what was acknowledged is in them too. SegmentLog asks at each sync, which
// costs one look at the directory's time of change as long as nothing comes or goes in it.

import Glibc
import Threading

/// The segments that a start needs, from the first that has not been deleted to the newest.
struct SegmentWatch {
    /// The number of the first; whoever deletes segments raises it before.
    let first: Locked<UInt64>
    private let directory: Directory
    /// The directory's time of change at the last look that can be relied upon.
    private var seen: Int64?
    /// Time stamps of files are coarser than changes: a later change may have the same one.
    private static let grain: Int64 = 50_000_000

    init(_ directory: Directory, first: UInt64) {
        self.directory = directory
        self.first = Locked(first)
    }

    /// Refuses where a segment before `newest` is not under its name any more.
    mutating func check(before newest: UInt64) throws(JournalError) {
        guard let changed = directory.disk.changeTime(directory.path), changed != seen else { return }
        let now = SegmentWatch.now
        // What cannot be listed now is listed at the next sync.
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
