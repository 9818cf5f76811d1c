// Saving, listing, opening, restoring and deleting checkpoints, and going back to an earlier step. All of it is file
// work and runs on the storage thread; `reply` is called there.

import Journal
import Optimizers

extension ModelRegistry {
    /// Saves the state of a model as a checkpoint.
    public func saveCheckpoint(
        of model: Model, reply: @escaping @Sendable (Result<CheckpointFacts, ServingError>) -> Void
    ) {
        onDisk(reply) { [keeper] directory in
            let image = model.waitForImage()
            if let divergence = image.divergence { throw ServingError.diverged(parameter: divergence) }
            // No power cut may leave a checkpoint of a model, or of a step, that the journal does not know.
            try keeper?.flush()
            let info = try save(
                image, in: directory.checkpoints, kind: .checkpoint, label: CheckpointFacts.label(image))
            guard let facts = CheckpointFacts(info) else { throw JournalError.closed }
            return facts
        }
    }

    /// The checkpoints of a model, oldest first.
    public func checkpoints(
        of model: Model, reply: @escaping @Sendable (Result<[CheckpointFacts], ServingError>) -> Void
    ) {
        onDisk(reply) { directory in
            try directory.checkpoints.list().snapshots.filter { $0.model == model.uid.number }.compactMap {
                CheckpointFacts($0)
            }
        }
    }

    /// Opens a checkpoint of a model; nil when there is none of that number.
    public func openCheckpoint(
        _ id: UInt64, of model: Model, reply: @escaping @Sendable (Result<CheckpointFile?, ServingError>) -> Void
    ) {
        onDisk(reply) { [self] directory in
            guard let facts = try find(id, of: model, in: directory) else { return nil }
            return try CheckpointFile(try directory.checkpoints.open(id), facts, assembly)
        }
    }

    /// Deletes a checkpoint; false when there is none of that number.
    public func deleteCheckpoint(
        _ id: UInt64, of model: Model, reply: @escaping @Sendable (Result<Bool, ServingError>) -> Void
    ) {
        onDisk(reply) { [self] directory in
            guard try find(id, of: model, in: directory) != nil else { return false }
            try directory.checkpoints.delete(id)
            return true
        }
    }

    /// Brings a model back to a checkpoint; nil when there is none of that number.
    public func restore(
        _ model: Model, toCheckpoint id: UInt64,
        reply: @escaping @Sendable (Result<PublishedVersion?, ServingError>) -> Void
    ) {
        restoring(model, reply) { [self] directory in
            guard try find(id, of: model, in: directory) != nil else { return nil }
            return try assembly.assemble(ImageSource(try directory.checkpoints.open(id))).image
        }
    }

    /// Brings a model back to a step that snapshots and journal still cover; nil when they do not.
    public func rollback(
        _ model: Model, toStep step: Int,
        reply: @escaping @Sendable (Result<PublishedVersion?, ServingError>) -> Void
    ) {
        restoring(model, reply) { [self] directory in
            let rewind = Rewind(directory, assembly) { [log] from, end, body throws(JournalError) in
                try log.read(from: from, upTo: end, body)
            }
            return try rewind.wholeImage(atStep: step, uid: model.uid)
        }
    }

    private func restoring(
        _ model: Model, _ reply: @escaping @Sendable (Result<PublishedVersion?, ServingError>) -> Void,
        _ find: @escaping @Sendable (DataDirectory) throws -> ModelImage?
    ) {
        onDisk(
            { (result: Result<ModelImage?, ServingError>) in
                switch result {
                case .failure(let error): reply(.failure(error))
                case .success(nil): reply(.success(nil))
                case .success(let image?):
                    let restoration = Restoration(
                        arena: image.arena, optimizer: image.optimizer, version: image.version)
                    model.submit(.restore(restoration)) { result in
                        reply(result.map { if case .changed(let version) = $0 { version } else { nil } })
                    }
                }
            }, find)
    }

    private func find(
        _ id: UInt64, of model: Model, in directory: DataDirectory
    ) throws(JournalError) -> CheckpointFacts? {
        let listed = try directory.checkpoints.list().snapshots
        return listed.first { $0.id == id && $0.model == model.uid.number }.flatMap { CheckpointFacts($0) }
    }

    /// Runs `body` on the storage thread.
    private func onDisk<Value: Sendable>(
        _ reply: @escaping @Sendable (Result<Value, ServingError>) -> Void,
        _ body: @escaping @Sendable (DataDirectory) throws -> Value
    ) {
        guard let keeper else { return reply(.failure(.storageFailed(reason: "This registry has no data directory."))) }
        keeper.perform { directory in
            do {
                reply(.success(try body(directory)))
            } catch {
                reply(.failure(ServingError(storage: error)))
            }
        }
    }

    private var assembly: ModelAssembly {
        ModelAssembly(catalogue: catalogue, configuration: configuration, budget: budget, executor: executor, log: log)
    }
}
