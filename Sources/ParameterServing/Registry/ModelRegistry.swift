// The models by name. Reading a name takes one short lock; creations and deletions go through the registry's own
// mailbox, so that they happen in one order and off the network threads.

import Journal
import Names
import Optimizers
import Threading

/// All models of a daemon.
public final class ModelRegistry: Runnable, @unchecked Sendable {
    /// The outcome of a creation.
    public enum Created: Sendable {
        /// The model is new.
        case new(Model)
        /// It already existed with the same definition.
        case existing(Model)
        /// The request was executed before; this is its result.
        case repeated(ModelUID, step: Int)
    }

    let assembly: ModelAssembly
    /// Decisions, and their effects once they are logged: the mailbox handles them in order.
    let inbox = Inbox<@Sendable () -> Void>()
    let models: Locked<[Name: Model]>
    /// Models in the directory that are not served.
    let unavailable: Locked<[Name: UnavailableModel]>
    let keeper: SnapshotKeeper?
    private let isStopping = Locked(false)
    /// Makes long answers; with two or more model threads, it leaves one free.
    public let slices: SliceQueue
    /// Run long work outside the network threads and the model threads.
    let executors = SerialExecutors()
    /// The number of answers that wait to be computed.
    private let errands = Locked(0)
    /// Used only by the mailbox.
    var directory: DirectoryState
    /// The memory of its keys, used only by the mailbox.
    var kept: KeptMemory
    /// Creations that wait for another creation of the same name; used only by the mailbox.
    var waiting: [Name: [(Creation, CreationReply)]] = [:]
    /// The states of models whose creation is being logged; keep no other copies, each would hold the model's memory.
    var drafts: [Name: ModelState] = [:]

    /// Makes a registry from the findings of a recovery, or an empty one.
    init(
        _ assembly: ModelAssembly, directory: DirectoryState, keeper: SnapshotKeeper? = nil, models: [Model] = [],
        unavailable: [UnavailableModel] = []
    ) {
        self.assembly = assembly
        slices = SliceQueue(assembly.executor, lanes: max(1, assembly.configuration.threads - 1))
        invariant(directory.models.count == models.count + unavailable.count, "a model is served, or is not")
        self.directory = directory
        kept = KeptMemory(assembly.budget)
        kept.follow(directory.keys.bytes)
        self.keeper = keeper
        self.models = Locked(
            Dictionary(models.map { (Name($0.name), $0) }, uniquingKeysWith: { _, last in last }))
        self.unavailable = Locked(
            Dictionary(unavailable.map { (Name($0.name), $0) }, uniquingKeysWith: { _, last in last }))
    }

    /// Makes a registry that keeps everything in memory and nothing on disk.
    public convenience init(configuration: ServingConfiguration, catalogue: Catalogue) {
        self.init(
            ModelAssembly(configuration, catalogue), directory: DirectoryState(keys: KeyLedger(configuration)))
    }

    /// The memory shared by models and requests.
    public var budget: MemoryBudget { assembly.budget }
    /// What happens to all models.
    public var events: EventFeed { assembly.events }
    /// The share of bodies, by model and by address.
    public var bodies: BodyMemory { assembly.bodies }
    /// The available optimizers.
    public var catalogue: Catalogue { assembly.catalogue }
    /// The settings of all models.
    public var configuration: ServingConfiguration { assembly.configuration }

    /// The current time, by the clock of the models.
    public var now: Tick { configuration.clock() }
    var log: CommandLog { assembly.log }

    /// The model called `name`.
    ///
    /// - Throws: `unknownModel` with similar names, `modelUnavailable`.
    public func model(named name: String) throws(ServingError) -> Model {
        let key = Name(name)
        let found = models.withLock { models in models[key].map { ($0, []) } ?? (nil, Array(models.keys)) }
        if let model = found.0 { return model }
        if let model = unavailableModel(named: name) { throw .modelUnavailable(model) }
        throw .unknownModel(name, nearest: NearestNames.of(key, among: found.1).map(\.text))
    }

    /// The model that has a name, for a decision about that name; nil if there is none.
    func holder(of name: Name) -> Holder? {
        models.withLock { $0[name] }.map { Holder($0) } ?? unavailable.withLock { $0[name] }.map { .unavailable($0) }
    }

    /// The number of models that are served.
    public var count: Int { models.withLock { $0.count } }

    /// The number of names that a question about `model` may have to search: those of its parameters and groups, or,
    /// without a model, those of all models.
    public func nameCount(of model: String?) -> Int {
        guard let model, let found = models.withLock({ $0[Name(model)] }) else { return count }
        return found.layout.parameters.count + found.layout.groups.count
    }

    /// The model of that name if it is in the directory but not served; nil otherwise.
    public func unavailableModel(named name: String) -> UnavailableModel? {
        unavailable.withLock { $0[Name(name)] }
    }

    /// All models whose name starts with `prefix`, by name.
    public func list(prefix: String = "") -> [Model] {
        models.withLock { $0.filter { $0.key.hasPrefix(Name(prefix)) } }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The models in the directory that are not served and whose name starts with `prefix`, by name.
    public func listUnavailable(prefix: String = "") -> [UnavailableModel] {
        unavailable.withLock { $0.filter { $0.key.hasPrefix(Name(prefix)) } }.sorted { $0.key < $1.key }.map(\.value)
    }

    /// The bytes of journal records that models need, and the limit; nil without a data directory.
    public var journalBytes: (needed: Int, most: Int)? { keeper?.journalBytes }

    /// The uids of all models, served or not.
    var knownUIDs: Set<ModelUID> {
        Set(list().map(\.uid)).union(listUnavailable().map(\.uid))
    }

    /// Why pushes are refused now; nil if they are accepted.
    public var notReady: ServingError? { closed ?? log.obstacle }

    /// Why all future changes are refused; not set by a full disk, which may have room again.
    var closed: ServingError? { isStopping.withLock { $0 } ? .stopping : log.failure }

    /// Answers all waiting pulls and all future commands with "stopping".
    ///
    /// Logged changes are still applied and answered.
    public func stop() {
        isStopping.withLock { $0 = true }
        for model in list() { model.end(.stopping) }
        events.end(.stopping)
    }

    /// Writes what has been logged and accepts no more, whatever is still in progress.
    public func closeLog() { log.close() }

    /// Releases the disk and the threads, after `stop` and after the last answer.
    public func close() {
        executors.stop()
        keeper?.stop()
        log.close()
        assembly.executor.stop()
    }

    /// Releases the models and their memory, after `close`.
    public func letGo() {
        models.withLock { $0 = [:] }
        (drafts, waiting) = ([:], [:])
        kept.follow(0)
        events.letGo()
        budget.end()
    }

    /// The most long answers that may wait for their thread.
    public static let mostErrands = 16

    /// Runs `body`, which changes nothing, on the thread for long answers.
    ///
    /// - Returns: False, without running `body`, if the limit is reached.
    public func work(_ body: @escaping @Sendable () -> Void) -> Bool {
        let isTaken = errands.withLock { count in
            guard count < Self.mostErrands else { return false }
            count += 1
            return true
        }
        guard isTaken else { return false }
        executors.answers.perform { [self] in
            body()
            errands.withLock { $0 -= 1 }
        }
        return true
    }

    /// Handles what has arrived; called by the executor.
    public func run() {
        if inbox.drain({ work in work() }) { assembly.executor.schedule(self) }
    }

    func post(_ work: @escaping @Sendable () -> Void) {
        if inbox.add(work) { assembly.executor.schedule(self) }
    }
}
