// The numbers that bound the serving layer, in one value.

import Names
import Threading

/// Settings of the registry and its models.
public struct ServingConfiguration: Sendable {
    /// Free arenas of a model beyond this number go back to the system: one for the step, two for pushes being decoded, one
    /// spare.
    public static let spareArenas = 4
    /// Workers that have made room and of which the last number is kept; fixed, for a replay must forget as the first run did.
    public static let expiredWorkers = 10_000
    /// Bytes of all answers that are kept for requests with a key, of a model and of the daemon.
    public static let keptAnswerBytes = 1 << 20
    /// Places in a model's history where version and step part; an image grows by 25 bytes for each.
    public static let versionTurns = 1024
    /// Bytes of records that wait to be applied at a start: each in the journal, and the arena that it is read into.
    public static let bytesReadAhead = 256 << 20

    /// Bytes that models and requests may use together.
    public var memoryLimit: Int
    /// Percent of it that bodies of one model may hold together; a body that is alone may hold more.
    public var bodyPercentOfModel = 50
    /// The same for bodies from one address; that of proxies on this machine is exempt.
    public var bodyPercentOfAddress = 50
    /// Receipts that are kept per worker for retries.
    public var receiptWindow: Int
    /// Answers of requests with a key that are kept for retries, per client of a model and of the daemon.
    public var requestKeys = 256
    /// How long they are kept.
    public var keyLifetime = Duration.seconds(86_400)
    /// What is read before something is decided.
    public var clock: @Sendable () -> Tick = { Clock.tick }
    /// Models of the directory that are not to be served.
    public var withoutModels: Set<Name> = []
    /// Threads that run models.
    public var threads: Int
    /// The most models at a time.
    public var mostModels: Int
    /// The most checkpoints of a model.
    public var mostCheckpoints = 1000
    /// The most checkpoints of all models together.
    public var mostCheckpointsInAll = 10_000
    /// The most workers that a model remembers with their receipts.
    public var mostWorkers = 10_000
    /// How long a worker is not seen before it makes room for another.
    public var workerLifetime = Duration.seconds(86_400)
    /// The most versions of a model that can be read, the newest among them; fewer when memory is short.
    public var versions: Int
    /// Bytes of records that may pile up before models are written out to replace them; at least twice what all models
    /// weigh, whatever is said here.
    public var snapshotAllowance: Int
    /// Bytes of records that models may need before changes wait; at least three times what makes a snapshot due.
    public var mostJournal = 256 << 20

    /// Makes a configuration; every value has a default that suits one machine.
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
