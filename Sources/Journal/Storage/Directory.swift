// A directory and the disk it is on: what every reader and writer of journal files is handed. Keeps the path out
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

    /// Opens the directory itself, so that names can be made durable when no descriptor is to be had any more.
    func openNames() throws(SystemError) -> Int32 {
        try disk.openDirectory(path)
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
    ///
    /// A listing is not a single moment: one taken while a live journal rolls or deletes can miss a segment between
    /// others. It is taken again until the segments are consecutive or twice the same.
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

    /// The name, or with a number behind it where there is such a file.
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

    /// Numbers of the segments, ascending and without a gap.
    func segmentNumbers() throws(JournalError) -> [UInt64] {
        let names = try fileNames()
        if let missing = Directory.gap(in: names) { throw missing }
        return names.compactMap(FileName.segment.number)
    }

    /// The first segment that is missing between others, as an error.
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
