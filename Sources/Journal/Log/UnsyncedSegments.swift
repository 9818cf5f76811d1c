// The segments that contain records not yet durable, where no append waits for a sync: the thread that needs them
// durable syncs them itself, and the journal's thread only takes note.

import Glibc

/// Segments to sync, and what is durable once that is done.
struct UnsyncedSegments: Sendable, Equatable {
    /// The numbers of the segments, without a gap.
    let numbers: ClosedRange<UInt64>
    /// Every record before this position is in them or durable already.
    let end: UInt64

    /// Makes their bytes and names durable.
    ///
    /// Opens them again: a descriptor opened now reports also a write that failed before, unless someone else was told.
    func synchronize(in directory: Directory) throws(JournalError) {
        for number in numbers {
            let name = FileName.segment(number)
            let file: Int32
            do {
                file = try directory.open(name, .update)
            } catch {
                throw error.code == ENOENT ? .displaced(file: name) : JournalError(writing: name, error)
            }
            defer { directory.disk.close(file) }
            try synchronizing(name) { () throws(SystemError) in try directory.disk.synchronize(file) }
        }
        try synchronizing("the directory") { () throws(SystemError) in try directory.synchronize() }
    }

    /// A failed sync is final, whatever its code: the kernel may have dropped the pages.
    private func synchronizing(_ name: String, _ work: () throws(SystemError) -> Void) throws(JournalError) {
        do {
            try work()
        } catch {
            throw .failed(file: name, call: error.call, code: error.code)
        }
    }
}
