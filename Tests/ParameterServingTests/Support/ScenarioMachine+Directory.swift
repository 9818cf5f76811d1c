// Creations and deletions in a scenario: decided by the directory, kept as records, applied by the directory.

import Names

@testable import Journal
@testable import ParameterServing

extension ScenarioMachine {
    /// `create NAME OPTIMIZER`, with `replace`, `if-absent` or `join`, and with `if-uid=`, `if-version=` and `key=`.
    func creation(_ command: ScenarioCommand) throws -> Creation {
        let source = ModelSource.definition(try command.definition())
        let words = Set(command.words.dropFirst(2))
        return Creation(
            name: Name(command.name), source: source, replacing: words.contains("replace"),
            onlyIfAbsent: words.contains("if-absent"), joining: words.contains("join"), condition: command.condition,
            key: key(of: command, source.writtenFingerprint))
    }

    /// `delete NAME`, with the same conditions.
    func deletion(_ command: ScenarioCommand) -> Deletion {
        Deletion(name: Name(command.name), condition: command.condition, key: key(of: command, .nothing))
    }

    func key(of command: ScenarioCommand, _ body: Fingerprint) -> RequestKey? {
        command.text("key").map { RequestKey(text: Name($0), target: nil, body: body, time: tick.time) }
    }

    private func holder(of name: Name) -> Holder? {
        guard let uid = directory.models.first(where: { $0.value.name == name })?.key else { return nil }
        if let model = unavailable[name] { return .unavailable(model) }
        return models[uid].map { state in
            .served(uid, version: state.version, layout: state.layout, fingerprint: state.fingerprint)
        }
    }

    /// Decides a creation; if it is to be logged, its record gets the next position.
    func decide(_ creation: Creation) throws -> (Pending, UInt64)? {
        let verdict = try directory.decide(
            creation, on: holder(of: creation.name), .builtin, mostModels: assembly.configuration.mostModels,
            closed: closed)
        switch verdict {
        case .create(let uid, let count):
            do {
                let state = try assembly.assemble(creation.name.text, uid, creation.source, mustStep: true)
                let position = log(creation.source.record(of: state, count: count, key: creation.key))
                return (.creation(creation, state, count: count), position)
            } catch {
                directory.forget(creation)
                throw error
            }
        case .keep: tell("kept \(try uid(of: creation.name.text))")
        case .wait:
            waiting.append(creation)
            tell("\(creation.name) waits for the creation in progress")
        case .repeated(let uid, let step): tell("again: created \(uid), step \(step)")
        }
        return nil
    }

    /// As above, for a deletion.
    func decide(_ deletion: Deletion) throws -> (Pending, UInt64)? {
        guard let uid = try directory.decide(deletion, on: holder(of: deletion.name), closed: closed) else {
            tell("again: deleted")
            return nil
        }
        return (.deletion(deletion, uid), log(Record(deleting: uid, key: deletion.key)))
    }

    func carryOut(_ decided: (pending: Pending, position: UInt64)?) {
        guard let (pending, position) = decided else { return }
        tell("record \(position)")
        end(pending, at: position)
    }

    /// Applies the record at `position`.
    func end(_ pending: Pending, at position: UInt64) {
        switch pending {
        case .change(let uid, let command): apply(command, uid, at: position)
        case .creation(let creation, var state, let count):
            state.begin(at: position)
            let head = RecordHead.create(state.facts.uid, name: creation.name, count: count)
            let effect = directory.apply(head, under: creation.key, step: creation.source.step, at: position)
            create(effect, state)
            decideWaiting(for: creation.name)
        case .deletion(let deletion, let uid):
            guard directory.apply(.delete(uid, key: deletion.key), at: position) == .retire(uid) else {
                return tell("gone already")
            }
            retire(uid, .unknownModel(deletion.name.text, nearest: []))
        }
    }

    /// Withdraws a command that could not be logged.
    func lose(_ pending: Pending) {
        unlog()
        switch pending {
        case .change(let uid, let command): models[uid]?.forget(command)
        case .creation(let creation, _, _):
            directory.forget(creation)
            decideWaiting(for: creation.name)
        case .deletion(let deletion, _): directory.forget(deletion)
        }
    }

    private func create(_ effect: DirectoryState.Effect, _ state: ModelState) {
        guard case .create(let uid, let retiring) = effect else { return tell("not created") }
        for old in retiring { retire(old, .modelReplaced(state.facts.name)) }
        (models[uid], publications[uid], gates[uid]) = (state, Publication(state.published), ClockGate())
        tell("create \(uid): \(state.line)")
    }

    private func decideWaiting(for name: Name) {
        let next = waiting.filter { $0.name == name }
        waiting.removeAll { $0.name == name }
        for creation in next {
            do { carryOut(try decide(creation)) } catch { tell((error as? ServingError)?.line ?? "\(error)") }
        }
    }

    /// Stops serving a model, as a start with --without-model does.
    func shelve(_ name: String) throws {
        let uid = try uid(of: name)
        unavailable[Name(name)] = UnavailableModel(name: name, uid: uid, reason: .leftOut)
        models[uid] = nil
        publications.removeValue(forKey: uid)?.end(.stopping)
    }

    private func retire(_ uid: ModelUID, _ reason: ServingError) {
        tell("retire \(uid)")
        models[uid] = nil
        if let name = unavailable.first(where: { $0.value.uid == uid })?.key { unavailable[name] = nil }
        publications.removeValue(forKey: uid)?.end(reason)
    }
}

extension ScenarioCommand {
    /// The condition on the model.
    fileprivate var condition: ModelCondition? {
        guard let number = text("if-uid").flatMap({ UInt32($0, radix: 16) }) else { return nil }
        return ModelCondition(uid: ModelUID(number: number), versions: integer("if-version").map { [$0] })
    }
}
