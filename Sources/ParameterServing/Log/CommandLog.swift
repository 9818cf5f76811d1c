// The path of a command to disk and back: log, then apply. Without a journal (a registry in memory) everything counts
// as logged immediately, and nothing is kept.

import Glibc
import Journal
import Threading

/// The result of logging a record.
struct Logged: Sendable {
    /// Its position in the journal, or, without a journal, in this log.
    var position: UInt64
    /// Whether it survives a power cut.
    var isDurable: Bool
}

/// Logs records in order and calls back when they may be applied.
final class CommandLog: @unchecked Sendable {
    /// Set once, at the end of recovery and before anything is logged.
    private var journal: Journal?
    private var keeper: SnapshotKeeper?
    /// Whether an acknowledged record survives a power cut.
    private(set) var isDurable = false
    /// The number of records without a journal.
    private let unkept = Locked<UInt64>(0)
    /// The size of a journal file in bytes.
    private var segmentBytes = 0

    /// Connects the log with an open journal.
    func attach(_ journal: Journal, _ keeper: SnapshotKeeper, settings: JournalSettings) {
        self.journal = journal
        self.keeper = keeper
        isDurable = settings.mode == .group || settings.mode == .sync
        segmentBytes = settings.segmentBytes
    }

    /// Whether records survive the daemon.
    var isKept: Bool { journal != nil }

    /// Logs a record.
    ///
    /// - Parameters:
    ///   - record: made only if there is a journal.
    ///   - always: whether to log even if the journal has reached its limit.
    ///   - then: called once, in the order of the log, on a thread that must not be blocked.
    /// - Throws: why nothing is logged at present; `then` is not called.
    func append(
        _ record: @autoclosure () -> Record, always: Bool = false,
        then: @escaping @Sendable (Result<Logged, ServingError>) -> Void
    ) throws(ServingError) {
        guard let journal else {
            let position = unkept.withLock { count in
                count += 1
                return count
            }
            return then(.success(Logged(position: position, isDurable: false)))
        }
        if let failure { throw failure }
        let record = record()
        Failpoint.reach(.beforeLog)
        try keeper?.note(record.payload.reduce(Journal.leastRecordBytes) { $0 + $1.count }, always: always)
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

    /// Why nothing is logged any more; nil while the log works.
    var failure: ServingError? { journal?.failure.map(explained) }

    /// Why the last record was refused, if the next one would be too; clears without a restart.
    var obstacle: ServingError? { journal?.obstacle.map(explained) }

    /// The error for a record that was passed to the disk: the record may be there, and then the next start reads it.
    private func outcome(_ error: JournalError) -> ServingError {
        switch error {
        case .failed, .displaced: .outcomeUnknown(reason: error.description)
        default: explained(error)
        }
    }

    /// The error with the space that would resolve it.
    private func explained(_ error: JournalError) -> ServingError {
        guard case .outOfSpace = error else { return ServingError(error) }
        return .storageFull(
            reason: "\(error) The journal needs \((segmentBytes + 1 << 20 - 1) >> 20) MiB for its next file.")
    }

    /// Writes the queue and closes the journal.
    func close() { journal?.close() }
}

extension ServingError {
    /// The error for work on files.
    public init(storage error: any Error) {
        switch error {
        case let error as ServingError: self = error
        case let error as JournalError where error.isDamage: self = .fileDamaged(reason: error.description)
        case let error as JournalError: self = ServingError(error)
        default: self = .storageFailed(reason: "\(error)")
        }
    }

    /// The answer to a request after a failure of the journal; damage found there is final.
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
