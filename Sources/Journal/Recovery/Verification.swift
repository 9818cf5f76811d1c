// Checks every byte of the journal: for `paramd verify` and scheduled scrubs. Read-only; finds all damage instead of
// stopping at the first.

/// The result of checking a directory.
public struct VerificationReport: Sendable, Equatable {
    /// One file that was read completely.
    public struct File: Sendable, Equatable {
        /// The name in the directory.
        public let name: String
        /// The number of intact records in a segment, or of blocks in a snapshot.
        public internal(set) var entries = 0
        /// Size in bytes.
        public internal(set) var bytes = 0
    }

    /// Segments and snapshots, by name.
    public internal(set) var files: [File] = []
    /// All damage.
    public internal(set) var problems: [JournalError] = []
    /// Bytes after the last record that the next open will remove: an append that was never acknowledged, or a live
    /// journal's next batch.
    ///
    /// This is not damage.
    public internal(set) var tornTail: RecoveryReport.TornTail?
    /// Files with other names, which were not checked.
    public internal(set) var others: [String] = []

    /// Whether all bytes are as written.
    public var isIntact: Bool { problems.isEmpty }
    /// The number of records in all segments.
    public var records: Int { files.reduce(0) { $0 + (FileName.segment.isMember($1.name) ? $1.entries : 0) } }
    /// The number of bytes checked.
    public var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
}

extension Journal {
    /// Reads all segments and snapshots in the directory and checks every byte.
    ///
    /// Needs no lock; the journal may be in use.
    ///
    /// - Throws: `.inaccessible` if the directory cannot be listed; damage is reported, not thrown.
    public static func verify(directory: String) throws(JournalError) -> VerificationReport {
        try verify(directory: directory, on: POSIXFileSystem())
    }

    package static func verify(
        directory path: String, on disk: any FileSystem
    ) throws(JournalError) -> VerificationReport {
        var verification = Verification(Directory(path, on: disk))
        return try verification.run()
    }
}

private struct Verification {
    private let directory: Directory
    private var report = VerificationReport()
    private var previous: SegmentReader?
    /// The end of reading the previous segment.
    private var end: SegmentEnd?

    init(_ directory: Directory) {
        self.directory = directory
    }

    mutating func run() throws(JournalError) -> VerificationReport {
        // Read before the segments: a live journal can only have more than the mark says.
        let durable = checkDurableMark()
        let names = try directory.fileNames()
        let last = names.last(where: FileName.segment.isMember)
        for name in names {
            if FileName.segment.isMember(name) {
                check(segment: name, isLast: name == last)
            } else if let id = FileName.snapshot.number(of: name) {
                check(snapshot: name, id: id)
            } else if name == FileName.mark {
                checkMark()
            } else if name != FileName.lock && name != FileName.durable {
                report.others.append(name)
            }
        }
        if let durable, last == nil || previous != nil { check(durable) }
        return report
    }

    private mutating func checkDurableMark() -> DurableEnd? {
        do throws(JournalError) {
            return try DurableMark(directory).found
        } catch {
            report.problems.append(error)
            return nil
        }
    }

    /// The newest segment must reach the acknowledged end.
    private mutating func check(_ durable: DurableEnd) {
        guard let loss = DurableLoss(of: durable, in: previous, end: end) else { return }
        report.problems.append(loss.problem)
        report.tornTail = nil
    }

    private mutating func check(segment name: String, isLast: Bool) {
        var file = VerificationReport.File(name: name)
        var intact: SegmentReader?
        do throws(JournalError) {
            let reader = try SegmentReader(name, in: directory)
            file.bytes = reader.window.size
            checkContinuity(reader)
            let end = try SegmentChain.read(reader, isLast: isLast) { _ in file.entries += 1 }
            report.tornTail = end.torn(in: reader)
            self.end = end
            intact = reader
        } catch {
            if error.isGone { return previous = nil }
            report.problems.append(error)
        }
        previous = intact
        report.files.append(file)
    }

    /// A segment must continue the previous one, if that could be read to its end.
    private mutating func checkContinuity(_ reader: SegmentReader) {
        guard let previous else { return }
        guard previous.header.number + 1 == reader.header.number else {
            report.problems.append(Directory.missing(previous.header.number + 1))
            return
        }
        do {
            try SegmentChain.check(reader, continues: previous)
        } catch {
            report.problems.append(error)
        }
    }

    private mutating func checkMark() {
        do throws(JournalError) {
            _ = try PositionMark(directory)
        } catch {
            if !error.isGone { report.problems.append(error) }
        }
    }

    private mutating func check(snapshot name: String, id: UInt64) {
        var file = VerificationReport.File(name: name)
        do throws(JournalError) {
            let reader = try SnapshotReader(name, id: id, in: directory)
            file.bytes = SnapshotBlock.fileSize(content: reader.info.length)
            try reader.forEachBlock { _ in file.entries += 1 }
        } catch {
            if error.isGone { return }
            report.problems.append(error)
        }
        report.files.append(file)
    }
}
