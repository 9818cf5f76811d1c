// Creating a model: DirectoryState decides, this file builds and logs the model, and only then do others see it.

import Names
import Threading

extension ModelRegistry {
    typealias CreationReply = @Sendable (Result<Created, ServingError>) -> Void

    /// Creates a model.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - source: the content; if a model with the same name and meaning exists, that is a success.
    ///   - replacing: whether to replace an existing model of that name.
    ///   - onlyIfAbsent: whether any existing model of that name is an error.
    ///   - joining: whether to accept an existing model if its parameters and shapes are the same.
    ///   - condition: required of an existing model of that name.
    ///   - key: distinguishes a retry from another request; a creation that changed nothing releases it.
    ///   - reply: called once, on an executor thread.
    public func create(
        _ name: String, _ source: ModelSource, replacing: Bool = false, onlyIfAbsent: Bool = false,
        joining: Bool = false, condition: ModelCondition? = nil, key: RequestKey? = nil,
        reply: @escaping @Sendable (Result<Created, ServingError>) -> Void
    ) {
        let creation = Creation(
            name: Name(name), source: source, replacing: replacing, onlyIfAbsent: onlyIfAbsent, joining: joining,
            condition: condition, key: key)
        post { [self] in create(creation, reply) }
    }

    private func create(_ creation: Creation, _ reply: @escaping CreationReply) {
        do throws(ServingError) {
            let verdict = try directory.decide(
                creation, on: holder(of: creation.name), catalogue, mostModels: configuration.mostModels, closed: closed
            )
            switch verdict {
            case .create(let uid, let count): build(creation, uid, count: count, reply)
            case .keep: reply(.success(.existing(try model(named: creation.name.text))))
            case .wait: waiting[creation.name, default: []].append((creation, reply))
            case .repeated(let uid, let step): reply(.success(.repeated(uid, step: step)))
            }
        } catch {
            reply(.failure(error))
        }
    }

    private func build(_ creation: Creation, _ uid: ModelUID, count: UInt64, _ reply: @escaping CreationReply) {
        let head = RecordHead.create(uid, name: creation.name, count: count)
        do throws(ServingError) {
            if let key = creation.key { try kept.makeRoom(for: directory.keys.bytes + KeyLedger.bytesAdded(by: key)) }
            let state = try assembly.assemble(creation.name.text, uid, creation.source, mustStep: true)
            drafts[creation.name] = state
            keeper?.expect(uid, directory.beginUIDs())
            try log.append(creation.source.record(of: state, count: count, key: creation.key)) { [self] result in
                post { [self] in finish(creation, head, result, reply) }
            }
        } catch {
            finish(creation, head, .failure(error), reply)
        }
    }

    private func finish(
        _ creation: Creation, _ head: RecordHead, _ result: Result<Logged, ServingError>, _ reply: CreationReply
    ) {
        switch result.flatMap({ logged in open(creation, at: logged.position).map { (logged.position, $0) } }) {
        case .success(let (position, model)):
            let effect = directory.apply(head, under: creation.key, step: creation.source.step, at: position)
            carryOut(effect, on: creation.name, giving: model, noting: creation.key, at: position)
            events.add(.created, of: model.name, model.uid, time: now.time)
            reply(.success(.new(model)))
        case .failure(let error):
            directory.forget(creation)
            if let uid = drafts.removeValue(forKey: creation.name)?.facts.uid { keeper?.cancelExpected(uid) }
            reply(.failure(error))
        }
        for (next, reply) in waiting.removeValue(forKey: creation.name) ?? [] { create(next, reply) }
    }

    /// Opens the model whose creation is logged at `position`; from then on nothing else holds its state.
    private func open(_ creation: Creation, at position: UInt64) -> Result<Model, ServingError> {
        guard var state = drafts.removeValue(forKey: creation.name) else {
            invariant(false, "a creation ends once")
            return .failure(.outcomeUnknown(reason: "\(creation.name) was logged, but its state is lost."))
        }
        state.begin(at: position)
        return .success(assembly.open(state))
    }
}
