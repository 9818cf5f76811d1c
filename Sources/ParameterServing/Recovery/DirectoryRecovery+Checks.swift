// Checks whether something is missing: removed files must not be mistaken for models that never existed. The journal
// says what a salvage gave up.

import Journal

extension DirectoryRecovery {
    /// Removes checkpoints that a crash left after the end of their model, and lists the damaged ones among the others.
    ///
    /// Checkpoints of unknown models are kept: they may be all that is left of them.
    func removeOrphans() throws(JournalError) {
        try directory.checkpoints.delete(try directory.checkpoints.list().files(of: state.gone))
        let damaged = try directory.checkpoints.list().damaged.values.sorted { $0.id < $1.id }
        summary.damagedCheckpoints = damaged.map { DamagedCheckpoint($0) }
    }

    /// A journal whose first segments have been deleted must still contain everything after each snapshot.
    func checkBeginning() throws(JournalError) {
        guard let (number, first) = try Journal.firstSegment(directory: directory.journalPath, on: directory.disk),
            number > 1
        else {
            return
        }
        if let (_, model) = state.modelNeedingRecords(before: first) {
            throw Self.lacking("\(model.name) needs the records from \(model.position) on; it begins with \(first)")
        }
        // A damaged list may be the newer one.
        guard firstDamage == nil, state.lacksRecords(before: first) else { return }
        throw Self.lacking("it begins with record \(first), and earlier segments were not deleted by a daemon")
    }

    private static func lacking(_ reason: String) -> JournalError {
        .corrupted(file: "the journal", offset: 0, reason: reason)
    }

    /// A journal always has a segment: snapshots without one mean that it was removed.
    func checkPresence() throws(JournalError) {
        guard endOfSnapshots > 1 || state.hasList || firstDamage != nil else { return }
        guard try Journal.firstSegment(directory: directory.journalPath, on: directory.disk) == nil else { return }
        // The mark may still say how many records there were.
        throw try Journal.verify(directory: directory.journalPath, on: directory.disk).problems.first
            ?? Self.lacking("no segment is left, and there are snapshots")
    }

    /// Every model that existed when part of the journal was deleted must exist again, or its end must have been read.
    ///
    /// - Returns: The models that a salvage gave up.
    func checkCensus() throws(JournalError) -> [String] {
        guard state.hasList else {
            try checkWhole()
            return []
        }
        let missing = state.missing
        guard let first = missing.first, state.isListTrusted else { return missing }
        throw firstDamage
            ?? .corrupted(
                file: "the directory", offset: 0,
                reason: "no snapshot of model \(first) is left, and the journal does not begin with it")
    }

    /// Without a list of models, only a journal from its beginning names all models.
    private func checkWhole() throws(JournalError) {
        guard state.lacksList,
            let first = try Journal.firstSegment(directory: directory.journalPath, on: directory.disk),
            first.number > 1
        else { return }
        throw firstDamage
            ?? .corrupted(
                file: "the directory", offset: 0,
                reason: """
                    the journal begins with record \(first.position), \
                    \(state.unexplained.map { "which model \($0) needs from its start, " } ?? "")\
                    and no snapshot says which models there were
                    """)
    }
}
