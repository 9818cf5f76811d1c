// The way of a command to the disk and back: log, then apply. Without a journal (a registry in memory) the way is
// short: everything counts as logged at once and nothing lasts.

import Glibc
import Journal
import Threading

/// Where a record was written.
struct Logged: Sendable {
    /// Its place in the journal's order, or, without a journal, in that of this log.
    var position: UInt64
    /// Whether it survives a power cut from now on.
    var isDurable: Bool
}

/// Takes records in order and says when what they stand for may be done.
final class CommandLog: @unchecked Sendable {
    /// Set once, at the end of recovery and before anything is logged.
    private var journal: Journal?
    private var keeper: SnapshotKeeper?
    /// Whether an acknowledged record survives a power cut.
    private(set) var isDurable = false
    /// How many records there have been without a journal.
    private let unkept = Locked<UInt64>(0)
    /// Bytes of one file of the journal.
    private var segmentBytes = 0

    /// Connects the log with an open journal.
    func attach(_ journal: Journal, _ keeper: SnapshotKeeper, settings: JournalSettings) {
        self.journal = journal
        self.keeper = keeper
        isDurable = settings.mode == .group || settings.mode == .sync
        segmentBytes = settings.segmentBytes
    }

    /// Logs a record.
    ///
    /// - Parameters:
    ///   - record: made only if there is a journal.
    ///   - always: whether it is logged even while the journal holds as much as it may.
    ///   - then: called once, in the order of the log, on a thread that must not be held up.
    func append(
        _ record: @autoclosure () -> Record, always: Bool = false,
        then: @escaping @Sendable (Result<Logged, ServingError>) -> Void
    ) {
        guard let journal else {
            let position = unkept.withLock { count in
                count += 1
                return count
            }
            return then(.success(Logged(position: position, isDurable: false)))
        }
        if let failure { return then(.failure(failure)) }
        let record = record()
        Failpoint.reach(.beforeLog)
        do throws(ServingError) {
            try keeper?.note(record.payload.reduce(Journal.leastRecordBytes) { $0 + $1.count }, always: always)
        } catch {
            return then(.failure(error))
        }
        journal.append(record) { [self] result in
            switch result {
            case .success(let done): then(.success(Logged(position: done.position, isDurable: done.isDurable)))
            case .failure(let error): then(.failure(outcome(error)))
            }
        }
    }

    /// Reads what has been logged, from a position on.
    func read(
        from position: UInt64, upTo end: UInt64?, _ body: (StoredRecord) throws -> Void
    ) throws(JournalError) {
        try journal?.read(from: position, upTo: end, body)
    }

    /// Why nothing is logged any more; nil while all is well.
    var failure: ServingError? { journal?.failure.map(explained) }

    /// Why the last record was refused, while the next one would be too; it clears without a restart.
    var obstacle: ServingError? { journal?.obstacle.map(explained) }

    /// What a failure means to a record that was handed to the disk: it may be there after all, and a start reads it.
    private func outcome(_ error: JournalError) -> ServingError {
        switch error {
        case .failed, .displaced: .outcomeUnknown(reason: error.description)
        default: explained(error)
        }
    }

    /// A failure with the room that would mend it.
    private func explained(_ error: JournalError) -> ServingError {
        guard case .outOfSpace = error else { return ServingError(error) }
        return .storageFull(
            reason: "\(error) The journal needs \((segmentBytes + 1 << 20 - 1) >> 20) MiB for its next file.")
    }

    /// Writes what is under way and closes the journal.
    func close() { journal?.close() }
}

extension ServingError {
    /// What stopped work on files.
    public init(storage error: any Error) {
        switch error {
        case let error as ServingError: self = error
        case let error as JournalError where error.isDamage: self = .fileDamaged(reason: error.description)
        case let error as JournalError: self = ServingError(error)
        default: self = .storageFailed(reason: "\(error)")
        }
    }

    /// What a failure of the journal means to a client; damage that it meets there is final.
    init(_ error: JournalError) {
        switch error {
        case .outOfResources(_, _, ENOMEM): self = .noMemory(needed: 0)
        case .outOfSpace, .readOnlyFileSystem, .outOfResources: self = .storageFull(reason: error.description)
        case .closed: self = .stopping
        case .inUse, .failed, .displaced, .corrupted, .unsupportedFormat, .inaccessible, .replayRefused:
            self = .storageFailed(reason: error.description)
        }
    }
}

extension JournalError {
    fileprivate var isDamage: Bool {
        switch self {
        case .corrupted, .unsupportedFormat: true
        default: false
        }
    }
}
