// A model as it was: the newest snapshot that lies early enough, or its creation, and the records from there on, applied
// to a state that nobody else sees. The same code as recovery decides what each record does.

import Journal
import Optimizers

/// Rebuilds earlier states of models from a data directory.
public struct Rewind {
    private let directory: DataDirectory
    private let assembly: ModelAssembly
    private let read: (UInt64, (StoredRecord) throws -> Void) throws(JournalError) -> Void

    /// Reads a directory that no daemon has open.
    public init(_ directory: DataDirectory, catalogue: Catalogue) {
        let configuration = ServingConfiguration(memoryLimit: .max)
        let assembly = ModelAssembly(
            catalogue: catalogue, configuration: configuration, budget: MemoryBudget(limit: .max),
            executor: Executor(threads: 0), log: CommandLog())
        self.init(directory, assembly) { from, body throws(JournalError) in
            try Journal.read(directory: directory.journalPath, from: from, body)
        }
    }

    /// Reads through `read`, which gives the records from a position on.
    init(
        _ directory: DataDirectory, _ assembly: ModelAssembly,
        read: @escaping (UInt64, (StoredRecord) throws -> Void) throws(JournalError) -> Void
    ) {
        self.directory = directory
        self.assembly = assembly
        self.read = read
    }

    /// What was found.
    public struct Found {
        /// The step.
        public var step: Int
        /// The version.
        public var version: Int
        /// Equal for states that are equal to the bit.
        public var digest: String
    }

    /// The state of a model at a step, or at the journal's end.
    ///
    /// - Parameters:
    ///   - name: the model's name.
    ///   - step: the step; where a restore made it pass twice, the later time counts.
    /// - Returns: nil where the model or the step is not covered.
    public func image(of name: String, atStep step: Int?) throws(JournalError) -> Found? {
        guard let image = try wholeImage(atStep: step, where: { $1 == name }) else { return nil }
        return Found(step: image.optimizer.step, version: image.version, digest: "\(image.digest)")
    }

    /// The whole state of one creation of a model at a step.
    func wholeImage(atStep step: Int, uid: ModelUID) throws(JournalError) -> ModelImage? {
        try wholeImage(atStep: step) { candidate, _ in candidate == uid }
    }

    /// Tells whether a model is the one that is looked for.
    private typealias Choice = (ModelUID, String) -> Bool

    /// The whole state of the newest model that is meant, at a step or at the journal's end.
    private func wholeImage(atStep step: Int?, where isMeant: Choice) throws(JournalError) -> ModelImage? {
        var models = try snapshots(notAfter: step, where: isMeant)
        var found = models.values.filter { step == nil || $0.step == step }.map(\.image).last
        try read(models.values.map(\.firstPosition).min() ?? 1) { record in
            guard let model = try apply(record, to: &models, isMeant) else { return }
            if model.step == step { found = model.image }
        }
        return step == nil ? models.values.map(\.image).max { $0.position < $1.position } : found
    }

    /// The newest snapshot of each model meant whose step is not beyond `step`.
    private func snapshots(
        notAfter step: Int?, where isMeant: Choice
    ) throws(JournalError) -> [ModelUID: Model] {
        var models: [ModelUID: Model] = [:]
        for info in try directory.snapshots.list().snapshots.reversed()
        where info.kind == DataDirectory.Kind.model.rawValue && models[ModelUID(number: info.model)] == nil {
            let source = ImageSource(try directory.snapshots.open(info.id))
            let head = try source.head().head
            guard isMeant(head.uid, head.name), head.optimizer.step <= step ?? .max else { continue }
            models[head.uid] = try assembly.assemble(source)
        }
        return models
    }

    /// Applies a record to the model it is for; nil when it is for another one.
    private func apply(
        _ record: StoredRecord, to models: inout [ModelUID: Model], _ isMeant: Choice
    ) throws -> Model? {
        guard let kind = CommandKind(rawValue: record.type) else { return nil }
        let uid = ModelUID(number: record.model)
        var reader = ByteReader(record.payload)
        switch kind {
        case .create, .createFromImage:
            guard models[uid] == nil else { return nil }
            let creation = try CreationRecord(kind, reading: &reader)
            guard isMeant(uid, creation.name) else { return nil }
            let model = try assembly.assemble(creation.name, uid, creation.source)
            model.begin(at: record.position)
            models[uid] = model
            return model
        case .delete: return nil
        case .push, .importValues, .reconfigure, .register, .restore:
            guard let model = models[uid], record.position >= model.firstPosition else { return nil }
            model.applyNow(
                try Command(kind, reading: &reader, layout: model.layout, pool: model.pool), at: record.position)
            return model
        }
    }
}
