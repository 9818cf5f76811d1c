// The explicit repair of a directory that does not open: moves damaged files aside, gives up what is missing, and
// writes a record about it to the journal. Deletes nothing. Used only by `paramd recover --salvage`.

import Glibc
import Journal

/// Makes a damaged directory usable again.
public struct DirectorySalvage {
    /// The actions taken.
    public struct Report: Sendable {
        /// Why the journal refused; nil if it did not.
        public internal(set) var problem: JournalError?
        /// What else was given up, in words.
        public internal(set) var givenUp: [String] = []
        /// The files with the removed data, by their path in the directory.
        public internal(set) var movedAside: [String] = []

        /// Whether nothing was wrong; nothing was changed then.
        public var isIntact: Bool { problem == nil && givenUp.isEmpty && movedAside.isEmpty }
    }

    private let directory: DataDirectory
    private var report = Report()
    private var contents = DirectoryInventory()
    /// Bytes of the journal that were given up; nil if unknown.
    private var lostBytes: Int? = 0

    /// Salvages a directory that no daemon has open.
    ///
    /// - Throws: `inUse`, and the errors of reading and writing.
    public static func run(_ path: String) throws(JournalError) -> Report {
        guard access(path, F_OK) == 0 else {
            throw .inaccessible(file: "the directory", call: "access", code: errno)
        }
        var salvage = DirectorySalvage(directory: try DataDirectory(path, settings: JournalSettings()))
        try salvage.run()
        return salvage.report
    }

    private init(directory: DataDirectory) {
        self.directory = directory
    }

    private mutating func run() throws(JournalError) {
        let marker = SalvageMarker(directory.path)
        if try marker.set() {
            report.givenUp.append("what an interrupted salvage moved aside, which may be any number of records")
            lostBytes = nil
        }
        try cutJournal()
        for (store, name) in [(directory.snapshots, "snapshots"), (directory.checkpoints, "checkpoints")] {
            report.movedAside += try store.setDamagedAside().map { "\(name)/\($0)" }
        }
        contents = try DirectoryInventory(directory)
        if let hole = contents.hole {
            report.givenUp.append("the journal, for \(hole)")
            try giveUpJournal()
        }
        if contents.lacksBeginning {
            report.givenUp.append("records before the journal's first")
            lostBytes = nil
        }
        if contents.lacksJournal {
            if report.isIntact { report.givenUp.append("the journal, of which no segment is left") }
            lostBytes = nil
        }
        report.givenUp += contents.missing.map { "the model \($0), of which no snapshot is left" }
        if contents.lacksCensus { report.givenUp.append("the list of models, of which no snapshot is left") }
        if !report.isIntact { try append() }
        try marker.clear()
    }

    private mutating func cutJournal() throws(JournalError) {
        guard
            let cut = try Journal.salvage(
                directory: directory.journalPath, on: directory.disk, holding: directory.claim)
        else { return }
        report.problem = cut.problem
        report.movedAside += cut.movedAside.map { "journal/\($0)" }
        if lostBytes != nil { lostBytes = cut.bytes }
    }

    /// A journal that starts too late for a snapshot cannot be applied to it: only the snapshots' states are left.
    private mutating func giveUpJournal() throws(JournalError) {
        let moved = try Journal.setAside(directory: directory.journalPath, on: directory.disk, holding: directory.claim)
        report.movedAside += moved.map { "journal/\($0)" }
        lostBytes = nil
        contents = try DirectoryInventory(directory)
    }

    /// Records in the journal, durably, what may have been lost.
    private func append() throws(JournalError) {
        let record = SalvageRecord(
            versions: lostBytes.map { $0 / Journal.leastRecordBytes + 1 } ?? SalvageRecord.unknownVersions,
            uids: contents.uids(adding: lostBytes.map { UInt64($0 / Journal.leastRecordBytes + 1) }),
            firstTrustedSnapshot: contents.nextSnapshot
        ).record
        let journal = try Journal.open(
            directory: directory.journalPath, on: directory.disk, holding: directory.claim,
            settings: directory.settings,
            resumingAt: contents.end
        ) { _ in }
        defer { journal.close() }
        _ = try journal.appendDurably(record)
    }
}
