// Deleting a model: log it, then take the name away.

import Journal
import Names
import Threading

extension ModelRegistry {
    /// A request to delete a model.
    struct Deletion {
        var name: String
        var condition: ModelCondition?
        var key: RequestKey?
        var reply: ChangeReply<Removal>
    }

    /// Deletes a model; its waiting pulls are told.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - condition: what the model must be.
    ///   - key: tells a retry from another request.
    ///   - reply: called once.
    public func delete(
        _ name: String, condition: ModelCondition? = nil, key: RequestKey? = nil,
        reply: @escaping ChangeReply<Removal>
    ) {
        post(.delete(Deletion(name: name, condition: condition, key: key, reply: reply)))
    }

    func delete(_ deletion: Deletion) {
        do throws(ServingError) {
            if let answer = try recall(deletion.key) {
                let outcome = Outcome(answer: answer, isRepeated: true)
                return deletion.reply(Answered.result(outcome, under: deletion.key))
            }
            if let reason = closed { throw reason }
            let uid = try findDeleted(deletion)
            let tail = RecordTail(key: deletion.key)
            let record = Record(type: CommandKind.delete.rawValue, model: uid.number, payload: tail.bytes)
            if let key = deletion.key { keys.begin(key) }
            log.append(record, always: true) { [self] result in post(.deleted(uid, deletion, result)) }
        } catch {
            deletion.reply(.failure(error))
        }
    }

    /// The model that is to go.
    private func findDeleted(_ deletion: Deletion) throws(ServingError) -> ModelUID {
        if let model = unavailableModel(named: deletion.name) {
            try deletion.condition?.check(model)
            return model.uid
        }
        let model = try model(named: deletion.name)
        try deletion.condition?.check(model)
        return model.uid
    }

    func finish(_ deletion: Deletion, _ uid: ModelUID, _ result: Result<Logged, ServingError>) {
        switch result {
        case .success(let logged):
            remember(deletion.key, .deleted, at: logged.position)
            if directory.apply(.delete(uid), at: logged.position) == .retire(uid) {
                letGo(of: Name(deletion.name), uid, at: logged.position)
            }
            deletion.reply(.success(Answered(answer: Removal(), isRepeated: false)))
        case .failure(let error):
            if let key = deletion.key { keys.abandon(key) }
            deletion.reply(.failure(error))
        }
    }

    /// Takes the name from the model, ends what waits for it and deletes its files.
    private func letGo(of name: Name, _ uid: ModelUID, at position: UInt64) {
        let (served, givenUp) = takeName(name)
        invariant((served?.uid ?? givenUp?.uid) == uid, "a name belongs to one model")
        served?.end(.unknownModel(name.text, nearest: []))
        keeper?.deleteFiles(of: [uid], at: position)
    }
}
