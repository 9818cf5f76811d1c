// Names to models. Reading a name is one short lock; creating and deleting go through a mailbox of the registry's own,
// so that they happen in one order, off the network threads.

import Optimizers

/// All models of a daemon.
public final class ModelRegistry: Runnable, @unchecked Sendable {
    enum Message {
        case create(Creation)
        case created(Model, Creation)
        case delete(name: String, uid: ModelUID?, reply: @Sendable (ServingError?) -> Void)
    }

    /// A request to create a model.
    struct Creation {
        var name: String
        var definition: ModelDefinition
        var replacing: Bool
        var onlyIfAbsent: Bool
        var reply: @Sendable (Result<Created, ServingError>) -> Void
    }

    /// How a creation ended.
    public enum Created: Sendable {
        /// The model is new.
        case new(Model)
        /// It was there already, created by the same definition.
        case existing(Model)
    }

    /// The memory that models and requests share.
    public let budget: MemoryBudget
    /// The optimizers that may be asked for.
    public let catalogue: Catalogue
    /// The settings that hold for every model.
    public let configuration: ServingConfiguration
    private let executor: Executor
    private let inbox = Inbox<Message>()
    private let models = Locked<[String: Model]>([:])
    private let log = CommandLog()
    private let isStopping = Locked(false)
    private var nextUID: UInt32

    /// Makes a registry without models.
    ///
    /// - Parameters:
    ///   - configuration: the bounds.
    ///   - catalogue: the optimizers that may be asked for.
    public init(configuration: ServingConfiguration, catalogue: Catalogue) {
        self.configuration = configuration
        self.catalogue = catalogue
        self.budget = MemoryBudget(limit: configuration.memoryLimit)
        self.executor = Executor(threads: configuration.threads)
        self.nextUID = UInt32.random(in: .min ... .max)
    }

    // MARK: Reading

    /// The model called `name`.
    ///
    /// - Throws: `unknownModel` with the names that look alike.
    public func model(named name: String) throws(ServingError) -> Model {
        let found = models.withLock { models in models[name].map { ($0, []) } ?? (nil, Array(models.keys)) }
        guard let model = found.0 else { throw .unknownModel(name, nearest: NearestNames.of(name, among: found.1)) }
        return model
    }

    /// All models whose name starts with `prefix`, by name.
    public func list(prefix: String = "") -> [Model] {
        models.withLock { $0.values.filter { $0.name.hasPrefix(prefix) } }.sorted { $0.name < $1.name }
    }

    // MARK: Changing

    /// Creates a model.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - definition: what to create; a model of that name made by the same definition is a success.
    ///   - replacing: whether a model of another definition is to give way.
    ///   - onlyIfAbsent: whether any model of that name is an error, whatever made it.
    ///   - reply: called once, on an executor thread.
    public func create(
        _ name: String, _ definition: ModelDefinition, replacing: Bool = false, onlyIfAbsent: Bool = false,
        reply: @escaping @Sendable (Result<Created, ServingError>) -> Void
    ) {
        post(
            .create(
                Creation(
                    name: name, definition: definition, replacing: replacing, onlyIfAbsent: onlyIfAbsent, reply: reply))
        )
    }

    /// Deletes a model; its waiting pulls are told.
    public func delete(
        _ name: String, ifUID uid: ModelUID? = nil, reply: @escaping @Sendable (ServingError?) -> Void
    ) {
        post(.delete(name: name, uid: uid, reply: reply))
    }

    /// Why pushes cannot be taken now; nil when they can.
    public var notReady: ServingError? { isStopping.withLock { $0 } ? .stopping : nil }

    /// Tells every waiting pull, and every command to come, that the daemon is stopping.
    public func stop() {
        isStopping.withLock { $0 = true }
        for model in list() { model.end(.stopping) }
    }

    /// Handles what has arrived; called by the executor.
    public func run() {
        if inbox.drain(handle) { executor.schedule(self) }
    }

    private func post(_ message: Message) {
        if inbox.add(message) { executor.schedule(self) }
    }

    private func handle(_ message: Message) {
        switch message {
        case .create(let creation): create(creation)
        case .created(let model, let creation): insert(model, creation)
        case .delete(let name, let uid, let reply): reply(remove(name, uid))
        }
    }

    private func create(_ creation: Creation) {
        do throws(ServingError) {
            let fingerprint = creation.definition.fingerprint
            if let existing = try? model(named: creation.name) {
                if creation.onlyIfAbsent {
                    throw ServingError.preconditionFailed(expected: "*", current: "\(existing.uid)")
                }
                if existing.fingerprint == fingerprint, !creation.replacing {
                    return creation.reply(.success(.existing(existing)))
                }
                if !creation.replacing { throw ServingError.modelExists(creation.name) }
            }
            nextUID &+= 1
            let assembly = ModelAssembly(catalogue: catalogue, configuration: configuration, budget: budget)
            let model = try assembly.assemble(
                creation.name, ModelUID(number: nextUID), creation.definition, fingerprint, executor: executor, log: log
            )
            insert(model, creation)
        } catch {
            creation.reply(.failure(error))
        }
    }

    private func insert(_ model: Model, _ creation: Creation) {
        let replaced = models.withLock { $0.updateValue(model, forKey: model.name) }
        replaced?.end(.modelReplaced(model.name))
        creation.reply(.success(.new(model)))
    }

    private func remove(_ name: String, _ uid: ModelUID?) -> ServingError? {
        do {
            let model = try model(named: name)
            if let uid, uid != model.uid { return .modelReplaced(name) }
            models.withLock { $0[name] = nil }
            model.end(.unknownModel(name, nearest: []))
            return nil
        } catch {
            return error
        }
    }
}
