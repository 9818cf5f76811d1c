// Deleting a model: log it, then take the name away.

import Journal

extension ModelRegistry {
    /// A request to delete a model.
    struct Deletion {
        var name: String
        var condition: ModelCondition?
        var key: RequestKey?
        var reply: @Sendable (Result<Outcome, ServingError>) -> Void
    }

    /// Deletes a model; its waiting pulls are told.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - condition: what the model must be.
    ///   - key: tells a retry from another request.
    ///   - reply: called once; with `deleted`, or with the stored answer of the first request.
    public func delete(
        _ name: String, condition: ModelCondition? = nil, key: RequestKey? = nil,
        reply: @escaping @Sendable (Result<Outcome, ServingError>) -> Void
    ) {
        post(.delete(Deletion(name: name, condition: condition, key: key, reply: reply)))
    }

    func delete(_ deletion: Deletion) {
        do throws(ServingError) {
            if let answer = try recall(deletion.key) { return deletion.reply(.success(.repeated(answer))) }
            if let reason = closed { throw reason }
            let model = try model(named: deletion.name)
            try deletion.condition?.check(model)
            let tail = RecordTail(key: deletion.key)
            let record = Record(type: CommandKind.delete.rawValue, model: model.uid.number, payload: tail.bytes)
            if let key = deletion.key { keys.begin(key) }
            log.append(record) { [self] result in post(.deleted(model, deletion, result)) }
        } catch {
            deletion.reply(.failure(error))
        }
    }

    func finish(_ deletion: Deletion, _ model: Model, _ result: Result<Logged, ServingError>) {
        switch result {
        case .success(let logged):
            remember(deletion.key, .deleted, at: logged.position)
            carryOut(directory.apply(.delete(model.uid), at: logged.position), on: model)
            deletion.reply(.success(.noted(.deleted)))
        case .failure(let error):
            if let key = deletion.key { keys.abandon(key) }
            deletion.reply(.failure(error))
        }
    }
}
