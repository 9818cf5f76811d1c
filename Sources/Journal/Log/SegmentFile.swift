// One segment file open for writing: its end, and how far it is filled with zeros. SegmentLog owns at most two, the
// current one and the one prepared in advance.

import Glibc

/// An open segment file.
///
/// Everything from `end` on reads as zeros, unless the file was a segment before.
struct SegmentFile {
    /// Whether the file was a segment before; its blocks have been written then.
    let isRecycled: Bool
    private(set) var name: String
    private(set) var size: Int
    /// The offset of the next record.
    var end: Int
    /// The file has been written at least once up to here.
    ///
    /// Space beyond it is only reserved: the first sync there also has to update file system metadata.
    private(set) var filled: Int
    let descriptor: Int32
    /// A descriptor for writes past the page cache, once one was asked for; in it nil if the file system has none.
    private var past: Int32??
    private let directory: Directory

    /// Opens an existing segment to continue it at `end`.
    init(opening name: String, end: Int, isRecycled: Bool, in directory: Directory) throws(SystemError) {
        self.name = name
        self.directory = directory
        self.end = end
        self.isRecycled = isRecycled
        descriptor = try directory.open(name, .update)
        do {
            size = try directory.disk.size(descriptor)
            filled = isRecycled ? size : end
        } catch {
            directory.disk.close(descriptor)
            throw error
        }
    }

    /// Makes a file of `size` bytes, reserved on disk and without a segment's name.
    init(reserving size: Int, in directory: Directory) throws(SystemError) {
        name = FileName.ahead
        self.size = size
        self.directory = directory
        end = SegmentHeader.size
        isRecycled = false
        filled = 0
        descriptor = try directory.open(name, .create)
        do {
            try directory.disk.allocate(descriptor, size: size)
        } catch {
            discard()
            throw error
        }
    }

    /// Opens a file of `size` bytes that was a segment.
    init(recycling name: String, size: Int, in directory: Directory) throws(SystemError) {
        self.name = name
        self.size = size
        self.directory = directory
        end = SegmentHeader.size
        isRecycled = true
        filled = size
        descriptor = try directory.open(name, .update)
        guard (try? directory.disk.size(descriptor)) == size else {
            close()
            throw SystemError("fstat", EINVAL)
        }
    }

    /// A descriptor of the file that writes whole pages past the page cache; nil if there is none.
    mutating func descriptorPastCache() -> Int32? {
        if let past { return past }
        let found = try? directory.open(name, .direct)
        past = .some(found)
        return found
    }

    /// Bytes left for records.
    var room: Int { max(0, size - end) }

    /// Makes a file of `size` bytes, or says why the disk refuses.
    static func reserve(_ size: Int, in directory: Directory) throws(JournalError) -> SegmentFile {
        try directory.writing(FileName.ahead) { () throws(SystemError) in
            try SegmentFile(reserving: size, in: directory)
        }
    }

    /// Makes a segment of it: writes the header and gives it its name; if `durably`, both survive a power cut.
    ///
    /// An error removes the file, unless it is final.
    func begun(as header: SegmentHeader, durably: Bool = true) throws(JournalError) -> SegmentFile {
        var file = self
        let names: Int32
        do {
            names = try directory.openNames()
        } catch {
            file.discard()
            throw JournalError(writing: "the directory", error)
        }
        defer { directory.disk.close(names) }
        do {
            try file.takeIntoUse(header, durably: durably)
        } catch {
            file.discard()
            throw JournalError(writing: FileName.segment(header.number), error)
        }
        guard durably else { return file }
        do {
            try directory.disk.synchronizeNames(names)
        } catch {
            // The name may or may not be on disk: continuing with the old segment could create two successors.
            file.close()
            throw .failed(file: FileName.segment(header.number), call: error.call, code: error.code)
        }
        return file
    }

    private mutating func takeIntoUse(_ header: SegmentHeader, durably: Bool) throws(SystemError) {
        try directory.disk.writeAll(header.encode(), to: descriptor, at: 0)
        if durably { try synchronize() }
        let final = FileName.segment(header.number)
        try directory.rename(name, to: final)
        name = final
    }

    /// Writes zeros to the next part of the unwritten space; false once less than a part is left before `limit`.
    ///
    /// Whole parts only: otherwise each small record would be followed by a write and a sync of as many zeros.
    mutating func fillOneStep(upTo limit: Int) throws(SystemError) -> Bool {
        let start = max(filled, end)
        let count = min(zeros.count, size - start)
        guard count > 0, start + count <= limit else { return false }
        try directory.disk.writeAll(UnsafeRawBufferPointer(rebasing: zeros[..<count]), to: descriptor, at: start)
        filled = start + count
        return true
    }

    /// Cuts off everything from `offset` on.
    mutating func truncate(to offset: Int) throws(SystemError) {
        try directory.disk.truncate(descriptor, size: offset)
        size = offset
        end = min(end, offset)
    }

    /// Overwrites the bytes from `end` to `limit` with zeros, durably.
    func clear(upTo limit: Int) throws(SystemError) {
        var start = end
        while start < limit {
            let count = min(zeros.count, limit - start)
            try directory.disk.writeAll(UnsafeRawBufferPointer(rebasing: zeros[..<count]), to: descriptor, at: start)
            start += count
        }
        try synchronize()
    }

    func synchronize() throws(SystemError) {
        try directory.disk.synchronize(descriptor)
    }

    /// Whether a start would find the file under its name, with at least its length.
    var isInPlace: Bool {
        guard directory.disk.isNamed(descriptor, directory.path(of: name)) ?? true else { return false }
        return (try? directory.disk.size(descriptor)).map { $0 >= size } ?? true
    }

    func close() {
        if let past, let past { directory.disk.close(past) }
        directory.disk.close(descriptor)
    }

    /// Closes and removes the file; if removal fails, the next open removes it.
    func discard() {
        close()
        try? directory.remove(name)
    }
}
