// The limits of the serving layer, in one value.

import Names
import Threading

/// Settings of the registry and its models.
public struct ServingConfiguration: Sendable {
    /// Free arenas of a model beyond this number are returned to the system: one for the step, two for pushes being
    /// decoded, one spare.
    public static let spareArenas = 4
    /// The most replaced workers whose last number is kept; fixed, because a replay must forget the same workers as the
    /// first run.
    public static let expiredWorkers = 10_000
    /// Bytes of all answers that are kept for requests with a key, of a model and of the daemon.
    public static let keptAnswerBytes = 1 << 20
    /// The most turns in a model's history, where version and step stop rising together; an image grows by 25 bytes for
    /// each.
    public static let versionTurns = 1024
    /// The most bytes of records that wait to be applied during a start; counts each record and the arena that it is
    /// read into.
    public static let bytesReadAhead = 256 << 20

    /// The most bytes for models and requests together.
    public var memoryLimit: Int
    /// The percentage of `memoryLimit` for the bodies of one model together; a single body may use more.
    public var bodyPercentOfModel = 50
    /// As above, for bodies from one address; proxies on this machine are exempt.
    public var bodyPercentOfAddress = 50
    /// Receipts kept per worker for retries.
    public var receiptWindow: Int
    /// Answers of requests with a key that are kept for retries, per client of a model and of the daemon.
    public var requestKeys = 256
    /// How long answers are kept.
    public var keyLifetime = Duration.seconds(86_400)
    /// The clock of all decisions.
    public var clock: @Sendable () -> Tick = { Clock.tick }
    /// Models of the directory that are not served.
    public var withoutModels: Set<Name> = []
    /// The number of threads that run models.
    public var threads: Int
    /// The largest number of models.
    public var mostModels: Int
    /// The most checkpoints of a model.
    public var mostCheckpoints = 1000
    /// The most checkpoints of all models together.
    public var mostCheckpointsInAll = 10_000
    /// The most workers whose receipts a model keeps.
    public var mostWorkers = 10_000
    /// The time after which an unseen worker may be replaced.
    public var workerLifetime = Duration.seconds(86_400)
    /// The most readable versions of a model, including the newest; fewer if memory is short.
    public var versions: Int
    /// Bytes of records after which models are written out to replace them; always at least twice the size of all
    /// models.
    public var snapshotAllowance: Int
    /// The most bytes of records that models may need before changes wait; always at least three times the previous
    /// setting.
    public var mostJournal = 256 << 20

    /// Makes a configuration; the defaults suit one machine.
    public init(
        memoryLimit: Int, receiptWindow: Int = 256, threads: Int = 2, mostModels: Int = 10_000,
        versions: Int = 4, snapshotAllowance: Int = 64 << 20
    ) {
        self.memoryLimit = memoryLimit
        self.receiptWindow = receiptWindow
        self.threads = threads
        self.mostModels = mostModels
        self.versions = versions
        self.snapshotAllowance = snapshotAllowance
    }
}
