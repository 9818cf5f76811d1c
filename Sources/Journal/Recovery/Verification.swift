// Checks every byte that the journal keeps: for `paramd verify` and scheduled scrubs. Reads only; finds all damage
// instead of stopping at the first.

/// What a check of a directory found.
public struct VerificationReport: Sendable, Equatable {
    /// One file that was read from end to end.
    public struct File: Sendable, Equatable {
        /// Name within the directory.
        public let name: String
        /// Intact records of a segment, or blocks of a snapshot.
        public internal(set) var entries = 0
        /// Size in bytes.
        public internal(set) var bytes = 0
    }

    /// Segments and snapshots, by name.
    public internal(set) var files: [File] = []
    /// All damage found.
    public internal(set) var problems: [JournalError] = []
    /// Bytes behind the last record that the next open will drop: an append that was never acknowledged, or a live
    /// journal's next batch.
    ///
    /// No damage.
    public internal(set) var tornTail: RecoveryReport.TornTail?
    /// Files of other names, which were not looked at.
    public internal(set) var others: [String] = []

    /// Whether every byte is as it was written.
    public var isIntact: Bool { problems.isEmpty }
    /// Records in all segments.
    public var records: Int { files.reduce(0) { $0 + (FileName.segment.isMember($1.name) ? $1.entries : 0) } }
    /// Bytes checked.
    public var bytes: Int { files.reduce(0) { $0 + $1.bytes } }
}

extension Journal {
    /// Reads every segment and snapshot in the directory and checks each byte of them.
    ///
    /// Needs no lock; the journal may be open and in use meanwhile.
    ///
    /// - Throws: `.inaccessible` if the directory cannot be listed; damage is not thrown but reported.
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
    /// How the reading of `previous` ended.
    private var end: SegmentEnd?

    init(_ directory: Directory) {
        self.directory = directory
    }

    mutating func run() throws(JournalError) -> VerificationReport {
        // Before the segments: a live journal may only have more than it says.
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

    /// The newest segment must reach as far as was acknowledged.
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

    /// A segment must continue the one before, if that could be read to its end.
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
