// The explicit repair of a journal that refuses to open: keeps what is provably intact, moves the rest aside, deletes
// nothing. Never called by open.

/// The result of a salvage.
public struct SalvageReport: Sendable, Equatable {
    /// Why the journal refused.
    public let problem: JournalError
    /// The position after the last kept record.
    public let end: UInt64
    /// The files that now contain the removed data, named after their origin.
    public let movedAside: [String]
    /// Bytes removed, without trailing zeros; `nil` if a missing segment makes the number unknown.
    public let bytes: Int?
}

extension Journal {
    /// Cuts the journal at its first damaged record and moves everything after it into files named `salvaged-...`.
    ///
    /// Acknowledged records may be among them: the caller decides, knowing the error of `open`.
    ///
    /// - Parameters:
    ///   - directory: The journal's directory.
    ///   - claim: The claim to the directory; if nil, `salvage` makes one.
    /// - Returns: `nil` if there is nothing to salvage; nothing was changed then.
    /// - Throws: `.inUse`, and the errors of reading and writing.
    public static func salvage(
        directory: String, holding claim: DirectoryClaim? = nil
    ) throws(JournalError) -> SalvageReport? {
        try salvage(directory: directory, on: POSIXFileSystem(), holding: claim)
    }

    package static func salvage(
        directory path: String, on disk: any FileSystem, holding claim: DirectoryClaim? = nil
    ) throws(JournalError) -> SalvageReport? {
        let directory = Directory(path, on: disk)
        let claim = if let claim { claim } else { try DirectoryClaim(directory) }
        defer { withExtendedLifetime(claim) {} }
        return try Salvage(directory).run()
    }

    /// Moves all segments aside, newest first: for a journal that cannot be applied any more.
    ///
    /// - Returns: The files that now contain them.
    package static func setAside(
        directory path: String, on disk: any FileSystem, holding claim: DirectoryClaim? = nil
    ) throws(JournalError) -> [String] {
        let directory = Directory(path, on: disk)
        let claim = if let claim { claim } else { try DirectoryClaim(directory) }
        defer { withExtendedLifetime(claim) {} }
        let salvage = Salvage(directory)
        var moved: [String] = []
        for name in try directory.fileNames().filter(FileName.segment.isMember).reversed() {
            moved.append(try salvage.directory.moveAside(name))
        }
        if try directory.fileNames().contains(FileName.durable) {
            moved.append(try salvage.directory.moveAside(FileName.durable))
        }
        return moved.sorted()
    }

    /// The smallest record on disk: this many bytes contain at most one.
    public static let leastRecordBytes = RecordHeader.size
}

private struct Salvage {
    fileprivate let directory: Directory

    init(_ directory: Directory) {
        self.directory = directory
    }

    func run() throws(JournalError) -> SalvageReport? {
        var report = try cutSegments()
        if let problem = try damage(of: { () throws(JournalError) in _ = try PositionMark(directory) }) {
            report = try giveUp(FileName.mark, for: problem, after: report)
        }
        var durable: DurableEnd?
        if let problem = try damage(of: { () throws(JournalError) in durable = try DurableMark(directory).found }) {
            report = try giveUp(FileName.durable, for: problem, after: report)
        }
        let newest = try newest()
        guard let durable, let loss = DurableLoss(of: durable, in: newest?.reader, end: newest?.end) else {
            return report
        }
        return try giveUp(FileName.durable, for: loss.problem, after: report, lost: loss.records)
    }

    /// The error that makes a file unusable, if it is damage.
    private func damage(of work: () throws(JournalError) -> Void) throws(JournalError) -> JournalError? {
        do {
            try work()
            return nil
        } catch {
            guard case .corrupted = error else { throw error }
            return error
        }
    }

    /// Moves a mark aside.
    ///
    /// The loss is known only if the removed data has room for all `lost` records.
    private func giveUp(
        _ mark: String, for problem: JournalError, after cut: SalvageReport?, lost: UInt64? = nil
    ) throws(JournalError) -> SalvageReport {
        let most = cut?.bytes.map { UInt64($0 / Journal.leastRecordBytes + 1) } ?? 0
        let isBounded = lost.map { $0 <= most } ?? false
        return SalvageReport(
            problem: cut?.problem ?? problem, end: try newest()?.reader.nextPosition ?? 1,
            movedAside: ((cut?.movedAside ?? []) + [try directory.moveAside(mark)]).sorted(),
            bytes: isBounded ? cut?.bytes : nil)
    }

    /// Reads the newest segment to its end.
    private func newest() throws(JournalError) -> (reader: SegmentReader, end: SegmentEnd)? {
        guard let number = try directory.segmentNumbers().last else { return nil }
        let reader = try SegmentReader(FileName.segment(number), in: directory)
        return (reader, try SegmentChain.read(reader, isLast: true) { _ in })
    }

    private func cutSegments() throws(JournalError) -> SalvageReport? {
        let names = try directory.fileNames().filter(FileName.segment.isMember)
        var previous: SegmentReader?
        for (index, name) in names.enumerated() {
            var reader: SegmentReader?
            do {
                let opened = try SegmentReader(name, in: directory)
                if let previous { try checkOrder(opened, after: previous) }
                reader = opened
                _ = try SegmentChain.read(opened, isLast: index == names.count - 1) { _ in }
            } catch {
                guard case .corrupted(let file, _, _) = error else { throw error }
                // The next segment shows that records are missing at the end of this one.
                if let previous, file == previous.window.name, try hasRemains(previous) {
                    return try cut(names[(index - 1)...], at: previous, problem: error, end: previous)
                }
                return try cut(names[index...], at: reader, problem: error, end: reader ?? previous)
            }
            previous = reader
        }
        return nil
    }

    /// Whether bytes follow the last intact record.
    private func hasRemains(_ reader: SegmentReader) throws(JournalError) -> Bool {
        if reader.damage != nil { return true }
        return try reader.tail() != .clean
    }

    private func checkOrder(_ reader: SegmentReader, after previous: SegmentReader) throws(JournalError) {
        guard previous.header.number + 1 == reader.header.number else {
            throw Directory.missing(previous.header.number + 1)
        }
        try SegmentChain.check(reader, continues: previous)
    }

    /// Moves the newest segments first, so that a crash in between leaves the same damage in the same place.
    private func cut(
        _ names: ArraySlice<String>, at reader: SegmentReader?, problem: JournalError, end: SegmentReader?
    ) throws(JournalError) -> SalvageReport {
        var moved: [String] = []
        var bytes = try reader.map { reader throws(JournalError) in try used(reader) } ?? 0
        for name in names.dropFirst(reader == nil ? 0 : 1).reversed() {
            bytes += try used(name)
            moved.append(try directory.moveAside(name))
        }
        if let reader { moved.append(try copyOut(reader)) }
        return SalvageReport(
            problem: problem, end: end?.nextPosition ?? 1, movedAside: moved.sorted(),
            bytes: isConsecutive(names, after: end) ? bytes : nil)
    }

    private func isConsecutive(_ names: ArraySlice<String>, after end: SegmentReader?) -> Bool {
        let numbers = names.compactMap(FileName.segment.number)
        let before = end.map(\.header.number).map { $0 < numbers.first ?? 0 ? [$0] : [] } ?? []
        let all = before + numbers
        return zip(all, all.dropFirst()).allSatisfy { $0 + 1 == $1 }
    }

    /// The bytes of records in the file, with its header.
    private func used(_ name: String) throws(JournalError) -> Int {
        guard let reader = try? SegmentReader(name, in: directory) else {
            return try used(try ReadWindow(name, in: directory), from: 0)
        }
        return try used(reader) + SegmentHeader.size
    }

    /// The bytes after the last intact record, without those of the file's earlier use.
    private func used(_ reader: SegmentReader) throws(JournalError) -> Int {
        reader.header.isRecycled ? try reader.usedBytes() : try used(reader.window, from: reader.offset)
    }

    /// The bytes from `start` to the end, without the zeros of a prepared segment.
    private func used(_ window: ReadWindow, from start: Int) throws(JournalError) -> Int {
        var end = start
        var offset = start
        while offset < window.size {
            let bytes = try window.bytes(offset..<min(offset + 65536, window.size))
            if let last = bytes.lastIndex(where: { $0 != 0 }) { end = offset + last + 1 }
            offset += bytes.count
        }
        return end - start
    }

    /// Copies everything after the reader's last intact record into its own file, then cuts it off.
    private func copyOut(_ reader: SegmentReader) throws(JournalError) -> String {
        let name = reader.window.name
        let target = try directory.freeName("\(FileName.salvaged)\(name)-from-\(reader.offset)")
        let part = try directory.writing(target) { () throws(SystemError) in
            try directory.open(target + FileName.unfinished, .create)
        }
        defer { directory.disk.close(part) }
        var offset = reader.offset
        while offset < reader.window.size {
            let bytes = try reader.window.bytes(offset..<min(offset + 65536, reader.window.size))
            try directory.writing(target) { () throws(SystemError) in
                try directory.disk.writeAll(bytes, to: part, at: offset - reader.offset)
            }
            offset += bytes.count
        }
        let segment = try directory.writing(name) { () throws(SystemError) in try directory.open(name, .update) }
        defer { directory.disk.close(segment) }
        try directory.writing(name) { () throws(SystemError) in
            try directory.disk.synchronize(part)
            try directory.rename(target + FileName.unfinished, to: target)
            try directory.synchronize()
            try directory.disk.truncate(segment, size: reader.offset)
            try directory.disk.synchronize(segment)
        }
        return target
    }
}
