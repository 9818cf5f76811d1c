// Creating a model: look, build, log, and only then let others see it.

import Names
import Optimizers
import Threading

extension ModelRegistry {
    /// A request to create a model.
    struct Creation {
        var name: String
        var source: ModelSource
        var replacing: Bool
        var onlyIfAbsent: Bool
        var joining: Bool
        var condition: ModelCondition?
        var key: RequestKey?
        var reply: @Sendable (Result<Created, ServingError>) -> Void
    }

    /// Creates a model.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - source: what to create; a model of that name made of the same is a success.
    ///   - replacing: whether a model of that name is to give way and start over.
    ///   - onlyIfAbsent: whether any model of that name is an error, whatever made it.
    ///   - joining: whether a model of that name will do if its parameters and shapes are the same, whatever made it.
    ///   - condition: what a model of that name must be for anything to happen.
    ///   - key: tells a retry from another request; a creation that has changed nothing leaves it free.
    ///   - reply: called once, on an executor thread.
    public func create(
        _ name: String, _ source: ModelSource, replacing: Bool = false, onlyIfAbsent: Bool = false,
        joining: Bool = false, condition: ModelCondition? = nil, key: RequestKey? = nil,
        reply: @escaping @Sendable (Result<Created, ServingError>) -> Void
    ) {
        post(
            .create(
                Creation(
                    name: name, source: source, replacing: replacing, onlyIfAbsent: onlyIfAbsent,
                    joining: joining, condition: condition, key: key, reply: reply)))
    }

    func create(_ creation: Creation) {
        do throws(ServingError) {
            if case .created(let uid, let step)? = try recall(creation.key) {
                return creation.reply(.success(.repeated(uid, step: step)))
            }
            if waiting[Name(creation.name)]?.append(creation) != nil { return }
            if let existing = try existing(creation) { return creation.reply(.success(.existing(existing))) }
            try build(creation)
        } catch {
            creation.reply(.failure(error))
        }
    }

    /// The stored answer of a request; nil for one without a key, or that has not been seen.
    func recall(_ key: RequestKey?) throws(ServingError) -> StoredAnswer? {
        guard let key else { return nil }
        return try keys.find(key)
    }

    /// Keeps the answer of a request with a key, here and for the list of models.
    func remember(_ key: RequestKey?, _ answer: StoredAnswer, at position: UInt64) {
        guard let key else { return }
        keys.finish(key, answer, at: position)
        kept.follow(keys.bytes)
        keeper?.note(keys.entries)
    }

    /// The model that already is what the request asks for; nil when one has to be made.
    private func existing(_ creation: Creation) throws(ServingError) -> Model? {
        if let reason = closed { throw reason }
        try creation.source.definition.checkNames()
        try creation.source.definition.checkLimits()
        if let taken = unavailableModel(named: creation.name) {
            try creation.condition?.check(taken)
            guard creation.replacing, !creation.onlyIfAbsent else { throw .modelUnavailable(taken) }
            return nil
        }
        let (found, count) = models.withLock { models in
            (models[Name(creation.name)], models.count + waiting.keys.count { models[$0] == nil })
        }
        try creation.condition?.check(found)
        guard let model = found else {
            let count = count + unavailable.withLock(\.count)
            if count >= configuration.mostModels { throw .tooManyModels(limit: configuration.mostModels) }
            return nil
        }
        if creation.onlyIfAbsent { throw .preconditionFailed(expected: "*", current: "\(model.uid)") }
        if creation.replacing { return nil }
        // A definition that is wrong in itself differs from everything: what is wrong with it helps more.
        try assembly.check(creation.source.definition)
        if creation.joining {
            let differences = creation.source.definition.differences(from: model.layout)
            if differences.isEmpty { return model }
            throw .modelDiffers(creation.name, differences)
        }
        let fingerprints = [try assembly.fingerprint(of: creation.source), creation.source.writtenFingerprint]
        guard fingerprints.contains(model.fingerprint) else { throw .modelExists(creation.name) }
        return model
    }

    private func build(_ creation: Creation) throws(ServingError) {
        if let key = creation.key { try kept.makeRoom(for: keys.bytes + KeyLedger.bytesAdded(by: key)) }
        let (uid, uids) = directory.nextUID()
        let state = try assembly.assemble(creation.name, uid, creation.source, mustStep: true)
        keeper?.note(uids)
        keeper?.expect(uid)
        waiting[Name(creation.name)] = []
        drafts[uid] = state
        let head = RecordHead.create(uid, name: Name(creation.name), count: uids.count)
        if let key = creation.key { keys.begin(key) }
        log.append(creation.source.record(of: state, count: uids.count, key: creation.key)) { [self] result in
            post(.created(head, uid, creation, result))
        }
    }

    func finish(
        _ creation: Creation, _ uid: ModelUID, _ head: RecordHead, _ result: Result<Logged, ServingError>
    ) {
        switch result.flatMap({ logged in open(uid, at: logged.position).map { (logged, $0) } }) {
        case .success((let logged, let model)):
            replaceModels(directory.apply(head, at: logged.position), by: model, at: logged.position)
            remember(creation.key, .created(model.uid, step: model.publication.current.step), at: logged.position)
            creation.reply(.success(.new(model)))
        case .failure(let error):
            drafts[uid] = nil
            keeper?.cancelExpected(uid)
            if let key = creation.key { keys.abandon(key) }
            creation.reply(.failure(error))
        }
        for next in waiting.removeValue(forKey: Name(creation.name)) ?? [] { create(next) }
    }

    /// Opens the model whose creation is logged at `position`; nothing else holds its state from then on.
    private func open(_ uid: ModelUID, at position: UInt64) -> Result<Model, ServingError> {
        guard var state = drafts.removeValue(forKey: uid) else {
            invariant(false, "a creation ends once")
            return .failure(.outcomeUnknown(reason: "Model \(uid) was logged and is not at hand."))
        }
        state.begin(at: position)
        return .success(assembly.open(state))
    }

    /// Does to the live models what the record of the creation does to the directory.
    private func replaceModels(_ effect: DirectoryState.Effect, by model: Model, at position: UInt64) {
        guard case .create(_, let retiring) = effect else { return }
        let (replaced, givenUp) = takeName(Name(model.name), for: model)
        invariant([replaced?.uid, givenUp?.uid].compactMap(\.self) == retiring, "a name belongs to one model")
        replaced?.end(.modelReplaced(model.name))
        keeper?.deleteFiles(of: retiring, at: position)
        keeper?.watch(model)
    }

    /// Gives a name to a model, or to none.
    ///
    /// - Returns: What had it.
    func takeName(_ name: Name, for model: Model? = nil) -> (Model?, UnavailableModel?) {
        let served = models.withLock { models in
            defer { models[name] = model }
            return models[name]
        }
        return (served, unavailable.withLock { $0.removeValue(forKey: name) })
    }
}
