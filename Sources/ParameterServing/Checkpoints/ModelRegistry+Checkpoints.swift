// Saving, listing, opening, restoring and deleting checkpoints, and going back to an earlier step. The work on files
// runs on the threads of `SerialExecutors`; `reply` is called there, or on a model thread once a change is applied.

import Journal
import Names
import Optimizers

extension ModelRegistry {
    /// A callback for the result of a change.
    public typealias ChangeReply<Answer: ChangeAnswer> = @Sendable (Result<Answered<Answer>, ServingError>) -> Void
    /// As above, or nil if there is nothing with that number.
    public typealias SearchReply<Answer: ChangeAnswer> = @Sendable (Result<Answered<Answer>?, ServingError>) -> Void

    /// Saves the state of a model as a checkpoint.
    public func saveCheckpoint(
        of model: Model, key: RequestKey? = nil, reply: @escaping ChangeReply<CheckpointFacts>
    ) {
        reserve(key, of: model, reply) { [self] in
            let saved: @Sendable (Result<CheckpointFacts, ServingError>) -> Void = { [self] result in
                switch result {
                case .failure(let error):
                    model.release(key)
                    reply(.failure(error))
                case .success(let facts): log(facts, key, model, reply)
                }
            }
            run(on: executors.saves, saved) { [self] directory in
                if let key, let known = try found(under: key, of: model, in: directory) { return known }
                try checkRoom(for: model, in: directory)
                return try save(model, key, in: directory)
            }
        }
    }

    /// The checkpoint saved by a request that a crash interrupted, as long as its key is kept.
    ///
    /// Judged only by time: other requests may have replaced the stored answer in the file's lifetime.
    private func found(
        under key: RequestKey, of model: Model, in directory: DataDirectory
    ) throws -> CheckpointFacts? {
        for info in try directory.checkpoints.list().snapshots where info.model == model.uid.number {
            guard let known = CheckpointFacts.key(in: info), known.text == key.text else { continue }
            let isKept = known.time >= key.time - Int(configuration.keyLifetime.components.seconds)
            if isKept, known.isSameRequest(as: key) { return CheckpointFacts(info) }
        }
        return nil
    }

    private func save(_ model: Model, _ key: RequestKey?, in directory: DataDirectory) throws -> CheckpointFacts {
        let facts = try model.waitForImage().use { try write($0.ofCheckpoint, key, in: directory) }
        Failpoint.reach(.beforeLog)
        // A deletion takes the model's name before it deletes files, so either the deletion or the save sees the other.
        guard holder(of: Name(model.name))?.uid == model.uid else {
            try directory.checkpoints.delete(facts.id)
            throw ServingError.unknownModel(model.name, nearest: [])
        }
        return facts
    }

    private func write(
        _ image: ModelImage, _ key: RequestKey?, in directory: DataDirectory
    ) throws -> CheckpointFacts {
        let head = image.head
        if let divergence = head.divergence { throw ServingError.diverged(parameter: divergence) }
        // A power cut must not leave a checkpoint of a model or a step that the journal does not know.
        try keeper?.flush()
        let now = now
        let label = CheckpointFacts.label(head, key, at: now)
        let writer = try begin(image, in: directory.checkpoints, kind: .checkpoint, label: label)
        let info = try writer.finish(isReadBack: true)
        return CheckpointFacts(
            id: info.id, step: head.optimizer.step, version: head.version, created: now.time, bytes: info.length)
    }

    /// Logs a saved checkpoint, by which followers and repeated requests hear of it, then delivers the answer.
    private func log(
        _ facts: CheckpointFacts, _ key: RequestKey?, _ model: Model, _ reply: @escaping ChangeReply<CheckpointFacts>
    ) {
        let logged: ChangeReply<CheckpointFacts> = { [self] result in
            guard case .failure(let error) = result, key == nil else { return reply(result) }
            // A retry with a key finds the file; one without a key would save another.
            removeFile(Answered(answer: facts, isRepeated: false), of: model) { _ in reply(.failure(error)) }
        }
        model.submit(Change(command: .note(.saved(facts))).under(key), reserved: key, reply: logged)
    }

    /// Stores the answer of a deletion with a key, then delivers it.
    private func note(
        removed facts: CheckpointFacts, _ key: RequestKey?, _ model: Model,
        _ reply: @escaping ChangeReply<CheckpointFacts>
    ) {
        guard let key else { return reply(.success(Answered(answer: facts, isRepeated: false))) }
        model.submit(Change(command: .note(.removed(facts))).under(key), reserved: key, reply: reply)
    }

    /// Delivers the stored answer of a repeated request, or continues with `first`, whose end frees the key.
    private func reserve<Answer>(
        _ key: RequestKey?, of model: Model, _ reply: @escaping ChangeReply<Answer>,
        _ first: @escaping @Sendable () -> Void
    ) {
        guard let key else { return first() }
        model.reserve(key) { result in
            switch result {
            case .failure(let error): reply(.failure(error))
            case .success(let answer?):
                reply(Answered.result(Outcome(answer: answer, isRepeated: true), under: key))
            case .success(nil): first()
            }
        }
    }

    /// Refuses another checkpoint if the model, or all models together, have reached the limit.
    private func checkRoom(for model: Model, in directory: DataDirectory) throws {
        let listing = try directory.checkpoints.list()
        let list = CheckpointList(of: model.uid, in: listing) { knownUIDs }
        let bounds = [
            (list.count, configuration.mostCheckpoints, false),
            (listing.count, configuration.mostCheckpointsInAll, true),
        ]
        for (count, limit, isOfAll) in bounds where count >= limit {
            throw ServingError.tooManyCheckpoints(
                TooManyCheckpoints(model: model.name, oldest: list.oldest, limit: limit, isOfAll: isOfAll))
        }
    }

    /// The checkpoints of a model.
    public func checkpoints(
        of model: Model, reply: @escaping @Sendable (Result<CheckpointList, ServingError>) -> Void
    ) {
        run(on: executors.files, reply) { [self] directory in try list(of: model, in: directory) }
    }

    private func list(of model: Model, in directory: DataDirectory) throws(JournalError) -> CheckpointList {
        CheckpointList(of: model.uid, in: try directory.checkpoints.list()) { knownUIDs }
    }

    /// Opens a checkpoint of a model; nil if there is none with that number.
    public func openCheckpoint(
        _ id: UInt64, of model: Model, reply: @escaping @Sendable (Result<CheckpointFile?, ServingError>) -> Void
    ) {
        run(on: executors.files, reply) { [self] directory in
            try openFile(id, of: model, in: directory).map { try CheckpointFile($0.reader, $0.facts, assembly) }
        }
    }

    /// The file of a checkpoint; nil if there is none, or if it is being deleted.
    private func openFile(
        _ id: UInt64, of model: Model, in directory: DataDirectory
    ) throws -> (reader: SnapshotReader, facts: CheckpointFacts)? {
        guard let facts = try list(of: model, in: directory).intact(id) else { return nil }
        do throws(JournalError) {
            return (try directory.checkpoints.open(id), facts)
        } catch {
            if error.isGone { return nil }
            throw error
        }
    }

    /// Deletes a checkpoint; replies with nil if there is none with that number.
    ///
    /// With a key, the answer is logged before the file is deleted: a retry finds it and completes an interrupted
    /// deletion.
    public func deleteCheckpoint(
        _ id: UInt64, of model: Model, key: RequestKey? = nil, reply: @escaping SearchReply<CheckpointFacts>
    ) {
        let noted: ChangeReply<CheckpointFacts> = { [self] result in
            switch result {
            case .success(let removed): removeFile(removed, of: model, reply)
            case .failure(let error): reply(.failure(error))
            }
        }
        reserve(key, of: model, noted) { [self] in
            let found: @Sendable (Result<CheckpointFacts?, ServingError>) -> Void = { [self] result in
                if case .success(let facts?) = result { return note(removed: facts, key, model, noted) }
                model.release(key)
                reply(result.map { _ in nil })
            }
            run(on: executors.files, found) { [self] directory in try list(of: model, in: directory).facts(id) }
        }
    }

    /// Removes the file of a deleted checkpoint, unless it is already gone.
    private func removeFile(
        _ removed: Answered<CheckpointFacts>, of model: Model, _ reply: @escaping SearchReply<CheckpointFacts>
    ) {
        run(on: executors.files, reply) { [self] directory in
            let facts = removed.answer
            if try list(of: model, in: directory).facts(facts.id) == facts {
                try directory.checkpoints.delete(facts.id)
            }
            return removed
        }
    }

    /// Restores a model from a checkpoint; nil if there is none with that number.
    public func restore(
        _ model: Model, toCheckpoint id: UInt64, key: RequestKey? = nil, ifVersion: [Int]? = nil,
        reply: @escaping SearchReply<ChangedVersion>
    ) {
        restoring(model, key, ifVersion, reply) { [self] directory in
            try openFile(id, of: model, in: directory).map {
                var restoration = try Restoration(reading: ImageSource($0.reader), into: model.pool, catalogue)
                restoration.checkpoint = id
                return restoration
            }
        }
    }

    /// Rolls a model back to a step that snapshots and journal still cover; nil if they do not.
    public func rollback(
        _ model: Model, toStep step: Int, key: RequestKey? = nil, ifVersion: [Int]? = nil,
        reply: @escaping SearchReply<ChangedVersion>
    ) {
        restoring(model, key, ifVersion, reply) { [self] directory in
            try keeper?.reading { first in
                try HistoryReader(directory, assembly, first: first, read: log.read)
                    .wholeImage(atStep: step, uid: model.uid)
            }
            .map { Restoration($0) }
        }
    }

    private func restoring(
        _ model: Model, _ key: RequestKey?, _ ifVersion: [Int]?,
        _ reply: @escaping SearchReply<ChangedVersion>,
        _ find: @escaping @Sendable (DataDirectory) throws -> Restoration?
    ) {
        let done: ChangeReply<ChangedVersion> = { reply($0.map { $0 }) }
        let found: @Sendable (Result<Restoration?, ServingError>) -> Void = { result in
            guard case .success(let restoration?) = result else {
                model.release(key)
                return reply(result.map { _ in nil })
            }
            let change = Change.restore(restoration).under(key, ifVersion: ifVersion)
            model.submit(change, reserved: key, reply: done)
        }
        reserve(key, of: model, done) { [self] in run(on: executors.restores, found, find) }
    }

    /// Runs `body` with the data directory on the thread of an executor.
    private func run<Value: Sendable>(
        on executor: Executor, _ reply: @escaping @Sendable (Result<Value, ServingError>) -> Void,
        _ body: @escaping @Sendable (DataDirectory) throws -> Value
    ) {
        guard let keeper else { return reply(.failure(.keptInMemory)) }
        executor.perform {
            do {
                reply(.success(try body(keeper.directory)))
            } catch {
                reply(.failure(ServingError(storage: error)))
            }
        }
    }
}
