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
    /// The most points of a series of a model's history; fixed, like the other bounds of the history, because a replay
    /// must record what the first run recorded.
    public static let historyPoints = 512
    /// The most rates of all points of the history of learning rates: points times groups.
    public static let historyRates = 1 << 17
    /// The most workers whose rate of pushes is recorded.
    public static let historyWorkers = 64
    /// The most names of reported metrics.
    public static let historyMetrics = 64
    /// The shortest time between two deliveries of a stream of events: updates in between are joined.
    public static let eventInterval = Duration.milliseconds(20)
    /// The most events by which one lost record can have raised the count of a model.
    public static let eventsPerRecord = 1 << 16
    /// The most bytes of records that wait to be applied during a start; counts each record and the arena that it is
    /// read into.
    public static let bytesReadAhead = 256 << 20
    /// The shortest lease of a worker: each end of a lease is a record.
    public static let shortestLease = Duration.milliseconds(100)

    /// The most bytes for models and requests together.
    public var memoryLimit: Int
    /// The percentage of `memoryLimit` for the bodies of one model together; a single body may use more.
    public var bodyPercentOfModel = 50
    /// As above, for bodies from one address; proxies on this machine are exempt.
    public var bodyPercentOfAddress = 50
    /// Receipts kept per worker for retries.
    public var receiptWindow: Int
    /// Stored answers of requests with a key, for retries, per client of a model and of the daemon.
    public var requestKeys = 256
    /// How long answers are kept.
    public var keyLifetime = Duration.seconds(86_400)
    /// The clock of all decisions.
    public var clock: @Sendable () -> Tick = { Clock.tick }
    /// The timers of rounds and leases, on the clock of those decisions.
    public var timers = Timers.process
    /// Models of the directory that are not served.
    public var withoutModels: Set<Name> = []
    /// Events other than updates that are kept of a model, and of all models together, for readers that reconnect.
    public var keptEvents = 1024
    /// The most streams of events at a time.
    public var mostEventStreams = 1000
    /// The time between two heartbeats of an event stream.
    public var eventHeartbeat = Duration.seconds(15)
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
    /// The longest lease of a worker.
    public var longestLease = Duration.seconds(86_400)
    /// The most barriers of a model.
    public var mostBarriers = 256
    /// The most arrivals and waiting requests at the barriers of a model together.
    public var mostAtBarriers = 10_000
    /// How long an arrival at a barrier counts when no request of its worker waits.
    public var barrierHold = Duration.seconds(60)
    /// The most readable versions of a model, including the newest; fewer if memory is short.
    public var versions: Int
    /// The most bytes of the values of earlier versions that a model keeps readable.
    public var versionBytes = 64 << 20
    /// The most requests that wait, of all models together.
    public var mostWaiting = Int.max
    /// Bytes of records after which models are written out to replace them; more for large models, see
    /// `SnapshotAllowance`.
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
