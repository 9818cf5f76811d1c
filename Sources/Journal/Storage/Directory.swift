// A directory and the disk it lies on: what every reader and writer of journal files is handed. Keeps the path out
// of everything else, so that errors can only name files.

/// Where the files are.
struct Directory: Sendable {
    let path: String
    let disk: any FileSystem

    init(_ path: String, on disk: any FileSystem) {
        self.path = path
        self.disk = disk
    }

    func path(of name: String) -> String { path + "/" + name }

    func open(_ name: String, _ mode: OpenMode) throws(SystemError) -> Int32 {
        try disk.open(path(of: name), mode)
    }

    func rename(_ name: String, to other: String) throws(SystemError) {
        try disk.rename(path(of: name), to: path(of: other))
    }

    func remove(_ name: String) throws(SystemError) {
        try disk.remove(path(of: name))
    }

    /// Makes the directory where it is missing.
    func create() throws(JournalError) {
        try writing("the directory") { () throws(SystemError) in try disk.createDirectory(path) }
    }

    func synchronize() throws(SystemError) {
        try disk.synchronizeDirectory(path)
    }

    /// Runs calls that write `file`, and says in the journal's terms what a failure means.
    func writing<Result>(
        _ file: String, _ work: () throws(SystemError) -> Result
    ) throws(JournalError) -> Result {
        do {
            return try work()
        } catch {
            throw JournalError(writing: file, error)
        }
    }

    /// The same for calls that read.
    func reading<Result>(
        _ file: String, _ work: () throws(SystemError) -> Result
    ) throws(JournalError) -> Result {
        do {
            return try work()
        } catch {
            throw JournalError(inaccessible: file, error)
        }
    }

    /// Names of the files, sorted; not those of directories.
    func fileNames() throws(JournalError) -> [String] {
        try reading("the directory") { () throws(SystemError) in try disk.list(path) }
            .filter { !$0.isDirectory }.map(\.name).sorted()
    }

    /// Numbers of the segments, ascending and without a gap.
    func segmentNumbers() throws(JournalError) -> [UInt64] {
        let numbers = try fileNames().compactMap(FileName.segment.number).sorted()
        for (number, next) in zip(numbers, numbers.dropFirst()) where next != number + 1 {
            throw .corrupted(file: FileName.segment(number + 1), offset: 0, reason: "the segment is missing")
        }
        return numbers
    }
}
