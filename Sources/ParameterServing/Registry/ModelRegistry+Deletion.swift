// Deleting a model: log it, then take the name away.

import Journal

extension ModelRegistry {
    /// A request to delete a model.
    struct Deletion {
        var name: String
        var condition: ModelCondition?
        var reply: @Sendable (ServingError?) -> Void
    }

    /// Deletes a model; its waiting pulls are told.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - condition: what the model must be.
    ///   - reply: called once, with the reason if the model could not be deleted.
    public func delete(
        _ name: String, condition: ModelCondition? = nil, reply: @escaping @Sendable (ServingError?) -> Void
    ) {
        post(.delete(Deletion(name: name, condition: condition, reply: reply)))
    }

    func delete(_ deletion: Deletion) {
        do throws(ServingError) {
            if let reason = closed { throw reason }
            let model = try model(named: deletion.name)
            try deletion.condition?.check(model)
            let record = Record(type: CommandKind.delete.rawValue, model: model.uid.number, payload: [])
            log.append(record) { [self] result in post(.deleted(model, deletion, result)) }
        } catch {
            deletion.reply(error)
        }
    }

    func finish(_ deletion: Deletion, _ model: Model, _ result: Result<Logged, ServingError>) {
        switch result {
        case .success(let logged):
            carryOut(directory.apply(.delete(model.uid), at: logged.position), on: model)
            deletion.reply(nil)
        case .failure(let error): deletion.reply(error)
        }
    }
}
