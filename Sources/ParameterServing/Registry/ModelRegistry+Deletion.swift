// Deleting a model: DirectoryState decides, this file logs the deletion, and then the name is free.

import Journal
import Names
import Threading

extension ModelRegistry {
    /// Deletes a model; its waiting pulls are answered.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - condition: required of the model.
    ///   - key: distinguishes a retry from another request.
    ///   - reply: called once.
    public func delete(
        _ name: String, condition: ModelCondition? = nil, key: RequestKey? = nil,
        reply: @escaping ChangeReply<Removal>
    ) {
        let deletion = Deletion(name: Name(name), condition: condition, key: key)
        post { [self] in delete(deletion, reply) }
    }

    private func delete(_ deletion: Deletion, _ reply: @escaping ChangeReply<Removal>) {
        do throws(ServingError) {
            guard let uid = try directory.decide(deletion, on: holder(of: deletion.name), closed: closed) else {
                return reply(.success(Answered(answer: Removal(), isRepeated: true)))
            }
            log(deletion, of: uid, reply)
        } catch {
            reply(.failure(error))
        }
    }

    private func log(_ deletion: Deletion, of uid: ModelUID, _ reply: @escaping ChangeReply<Removal>) {
        do throws(ServingError) {
            try log.append(Record(deleting: uid, key: deletion.key), always: true) { [self] result in
                post { [self] in finish(deletion, uid, result, reply) }
            }
        } catch {
            finish(deletion, uid, .failure(error), reply)
        }
    }

    private func finish(
        _ deletion: Deletion, _ uid: ModelUID, _ result: Result<Logged, ServingError>, _ reply: ChangeReply<Removal>
    ) {
        switch result {
        case .success(let logged):
            let effect = directory.apply(.delete(uid, key: deletion.key), at: logged.position)
            carryOut(effect, on: deletion.name, noting: deletion.key, at: logged.position)
            reply(.success(Answered(answer: Removal(), isRepeated: false)))
        case .failure(let error):
            directory.forget(deletion)
            reply(.failure(error))
        }
    }
}

// MARK: Effects

extension ModelRegistry {
    /// Publishes the effect of a record: the name now belongs to `model`, or to no model.
    func carryOut(
        _ effect: DirectoryState.Effect, on name: Name, giving model: Model? = nil, noting key: RequestKey?,
        at position: UInt64
    ) {
        if key != nil {
            kept.follow(directory.keys.bytes)
            keeper?.note(directory.keys.entries)
        }
        switch effect {
        case .create(_, let retiring): give(name, to: model, from: retiring, .modelReplaced(name.text), at: position)
        case .retire(let uid): give(name, to: nil, from: [uid], .unknownModel(name.text, nearest: []), at: position)
        case .command, .skip, .none: break
        }
    }

    /// Ends the models that had the name with `reason`, and deletes their files.
    private func give(
        _ name: Name, to model: Model?, from retired: [ModelUID], _ reason: ServingError, at position: UInt64
    ) {
        let served = models.withLock { models in
            defer { models[name] = model }
            return models[name]
        }
        let givenUp = unavailable.withLock { $0.removeValue(forKey: name) }
        invariant([served?.uid, givenUp?.uid].compactMap(\.self) == retired, "a name belongs to one model")
        served?.end(reason)
        keeper?.deleteFiles(of: retired, at: position)
        if let model { keeper?.watch(model) }
    }
}
