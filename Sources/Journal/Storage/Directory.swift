// A directory and its disk, passed to every reader and writer of journal files. Nothing else knows the path, so errors
// can only name files.

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

    /// Creates the directory if it is missing.
    func create() throws(JournalError) {
        try writing("the directory") { () throws(SystemError) in try disk.createDirectory(path) }
    }

    func synchronize() throws(SystemError) {
        try disk.synchronizeDirectory(path)
    }

    /// Opens the directory itself, so that names can be made durable when no descriptor is available.
    func openNames() throws(SystemError) -> Int32 {
        try disk.openDirectory(path)
    }

    /// Runs calls that write `file`, and converts a failure to a journal error.
    func writing<Result>(
        _ file: String, _ work: () throws(SystemError) -> Result
    ) throws(JournalError) -> Result {
        do {
            return try work()
        } catch {
            throw JournalError(writing: file, error)
        }
    }

    /// As above, for calls that read.
    func reading<Result>(
        _ file: String, _ work: () throws(SystemError) -> Result
    ) throws(JournalError) -> Result {
        do {
            return try work()
        } catch {
            throw JournalError(inaccessible: file, error)
        }
    }

    /// The names of the files, sorted, without directories.
    ///
    /// A listing is not atomic: if a live journal rolls or deletes meanwhile, a segment can be missing between others.
    /// It is repeated until the segments are consecutive or the result is the same twice.
    func fileNames() throws(JournalError) -> [String] {
        var names = try listOnce()
        for _ in 0..<100 {
            guard Directory.gap(in: names) != nil else { break }
            let again = try listOnce()
            if again == names { break }
            names = again
        }
        return names
    }

    /// Moves a file aside, under a name that no earlier salvage has used.
    ///
    /// - Returns: The new name.
    func moveAside(_ name: String) throws(JournalError) -> String {
        let target = try freeName(FileName.salvaged + name)
        try writing(name) { () throws(SystemError) in
            try rename(name, to: target)
            try synchronize()
        }
        return target
    }

    /// The name, with a number appended if there is such a file.
    func freeName(_ wanted: String) throws(JournalError) -> String {
        let taken = Set(try fileNames())
        var (name, number) = (wanted, 1)
        while taken.contains(name) {
            number += 1
            name = "\(wanted)-\(number)"
        }
        return name
    }

    private func listOnce() throws(JournalError) -> [String] {
        try reading("the directory") { () throws(SystemError) in try disk.list(path) }
            .filter { !$0.isDirectory }.map(\.name).sorted()
    }

    /// The numbers of the segments, ascending and without a gap.
    func segmentNumbers() throws(JournalError) -> [UInt64] {
        let names = try fileNames()
        if let missing = Directory.gap(in: names) { throw missing }
        return names.compactMap(FileName.segment.number)
    }

    /// The error for the first segment that is missing between others.
    private static func gap(in names: [String]) -> JournalError? {
        let numbers = names.compactMap(FileName.segment.number)
        for (number, next) in zip(numbers, numbers.dropFirst()) where next != number + 1 {
            return missing(number + 1)
        }
        return nil
    }

    static func missing(_ number: UInt64) -> JournalError {
        .corrupted(file: FileName.segment(number), offset: 0, reason: "the segment is missing")
    }
}
